"""A student learns from a saved teacher: cached or asked, with labels and without."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import hubcls
from hubcls.classification import SingleLabel, build_classifier
from hubcls.datasets.base import Dataset, DatasetInfo, Split
from hubcls.errors import CheckpointError, ConfigError, DataError
from hubcls.export.bundle import Bundle
from hubcls.images.augmenting import Augmentation
from hubcls.strategies import ScheduledStrategy

# What its tests share is made once, by one worker.
pytestmark = pytest.mark.xdist_group("distillation")

MODULE = "efficientnet_lite0_imagenet"


@pytest.fixture(scope="module")
def teacher(task_in, tmp_path_factory):
    task = task_in(
        tmp_path_factory.mktemp("teacher") / "ckpt",
        num_epoch=15,
        strategy=ScheduledStrategy(0.05, batch_norm="train"),
    )
    task.finetune()
    assert task.eval("test").scores["acc"] > 0.9
    return task.config.folder


def without_labels(split):
    # Whatever stands there must not count.
    return Split(split.images, np.zeros(len(split), np.int64))


@pytest.fixture
def make_student(teacher, dataset, tmp_path):
    def make(*, module=None, master=teacher, folder="student", reader=None, loss=None, **config):
        few = dataset.with_train_examples(3)
        keras.utils.set_random_seed(0)
        settings = {
            "num_epoch": 1,
            "batch_size": 8,
            "checkpoint_dir": tmp_path / folder,
            "strategy": ScheduledStrategy(1e-3, "sgd", "constant", batch_norm="frozen"),
            **config,
        }
        return hubcls.DistillationTask(
            teacher=master,
            student=module or hubcls.Module(name=MODULE, weights=None, input_size=32),
            dataset=few,
            unlabelled=without_labels(dataset.split("train")),
            loss=loss or hubcls.DistillationLoss(temperature=2.0, label_weight=0.2),
            data_reader=reader,
            config=hubcls.RunConfig(**settings),
        )

    return make


@pytest.mark.slow
def test_a_student_agrees_with_its_teacher_on_images_without_labels(make_student, teacher, dataset):
    task = make_student(
        module=hubcls.Module(name=MODULE, input_size=48),
        num_epoch=5,
        strategy=ScheduledStrategy(1e-3, "adam"),
    )

    results = task.finetune_and_eval()

    assert task.progress.steps_per_epoch == -(-(48 + 3) // 8)
    images = np.repeat(dataset.split("train").images, 3, axis=3)
    told = [one.class_name for one in hubcls.load(teacher).predict(images)]
    learnt = [one.class_name for one in task.predict(list(images))]
    assert np.mean([a == b for a, b in zip(told, learnt, strict=True)]) > 0.6
    assert results["test"].scores["acc"] > 0.5


def test_the_teacher_answers_at_every_step_to_augmented_images(make_student, dataset):
    reader = hubcls.reader.ImageClassificationReader(
        dataset=None, augmentation=Augmentation(min_area=0.8)
    )
    task = make_student(reader=reader)

    task.finetune()

    assert type(task.classifier).__name__ == "TaughtClassifier"
    assert task.visualization is not None
    bundle = hubcls.load(task.config.folder)
    assert type(bundle.model) is not type(task.classifier)
    assert len(bundle.model.weights) == len(task.classifier.weights)


@pytest.mark.slow
def test_cached_answers_are_those_at_every_step(make_student, dataset):
    """Without a change at random both ways see the same images."""
    shown = Augmentation(horizontal_flip=False, min_area=1.0)
    same_size = hubcls.Module(name=MODULE, weights=None, input_size=32)
    master = Bundle(
        build_classifier(same_size.backbone, num_outputs=3, seed=1),
        SingleLabel(dataset.info.class_names), same_size.preprocessing, MODULE,
    )  # fmt: skip
    asked = make_student(
        folder="asked", master=master,
        reader=hubcls.reader.ImageClassificationReader(augmentation=shown),
    )  # fmt: skip
    cached = make_student(folder="cached", master=master)

    asked.finetune()
    cached.finetune()

    first, second = ([np.array(w) for w in task.classifier.weights] for task in (asked, cached))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stood(make_student):
    whole = make_student(folder="whole", num_epoch=2)
    whole.finetune()
    half = make_student(folder="half")
    half.finetune()

    rest = make_student(folder="half", num_epoch=2)
    rest.finetune()

    for one, other in zip(whole.classifier.weights, rest.classifier.weights, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


@pytest.mark.slow
def test_another_lesson_is_another_run(make_student):
    make_student().finetune()

    with pytest.raises(CheckpointError, match="lesson"):
        make_student(num_epoch=2, loss=hubcls.DistillationLoss("js")).finetune()


def test_the_state_says_what_was_learned_from(make_student):
    task = make_student()

    lesson = task.ingredients.lesson.as_dict()

    assert lesson["unlabelled"] == 48
    assert json.dumps(lesson)


def test_another_teacher_of_the_same_network_is_another_lesson(teacher, make_student):
    bundle = hubcls.load(teacher).bundle
    one, same, other = (
        make_student(master=master).ingredients.lesson.as_dict()
        for master in (teacher, bundle, changed(bundle))
    )

    assert one == same
    assert {key for key in one if one[key] != other[key]} == {"teacher_sha256"}


def changed(bundle):
    network = keras.models.clone_model(bundle.model)
    network.set_weights([weight + 0.01 for weight in bundle.model.get_weights()])
    return replace(bundle, model=network)


@pytest.mark.slow
def test_a_module_with_imagenets_classes_is_a_teacher_too(tmp_path):
    module = hubcls.Module(name=MODULE, input_size=64)
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (8, 32, 32, 3), np.uint8)
    dataset = Dataset(
        DatasetInfo("mine", module.class_names),
        {phase: Split(images, np.arange(8)) for phase in ("train", "val")},
    )

    task = hubcls.DistillationTask(
        teacher=module,
        student=hubcls.Module(name=MODULE, weights=None, input_size=32),
        dataset=dataset,
        config=hubcls.RunConfig(num_epoch=1, checkpoint_dir=tmp_path, batch_size=4),
    )
    task.finetune()

    assert task.classifier.output_shape == (None, 1000)


def test_a_teacher_of_other_classes_is_refused(teacher):
    with pytest.raises(ConfigError, match="3 \\(across"):
        hubcls.DistillationTask(
            teacher=teacher,
            student=hubcls.Module(name=MODULE, weights=None, input_size=32),
            dataset=hubcls.datasets.Digits(),
        )


@pytest.mark.parametrize(
    "setting", [{"class_weights": "balanced"}, {"loss": "focal"}, {"label_smoothing": 0.1}]
)
def test_a_loss_of_the_run_beside_the_teachers_is_refused(teacher, dataset, setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        hubcls.DistillationTask(
            teacher=teacher,
            student=hubcls.Module(name=MODULE, weights=None, input_size=32),
            dataset=dataset,
            config=hubcls.RunConfig(**setting),
        )


@pytest.mark.parametrize("wrong", [5, keras.Sequential()])
def test_what_is_no_teacher_is_refused(wrong, dataset):
    with pytest.raises(ConfigError, match="teacher must be"):
        hubcls.DistillationTask(
            teacher=wrong,
            student=hubcls.Module(name=MODULE, weights=None, input_size=32),
            dataset=dataset,
        )


def test_files_and_arrays_do_not_mix(dataset):
    with pytest.raises(DataError, match="both are files"):
        dataset.split("train").joined(Split(("a.jpg",), [0]))
