"""A config becomes a task, and a run's config.yaml the same run again."""

import csv

import pytest
import yaml

import hubcls
from hubcls.cli.main import main
from hubcls.config.building import read_config
from hubcls.datasets.folder import ImageFolder
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader

CONFIG = """\
module: {{directory: {network}}}
dataset: {{name: {photos}, seed: 4, train_examples: 10}}
pipeline: {{augmentation: {{min_area: 0.5}}, random_seed: 7}}
strategy: {{name: default_finetune, learning_rate: 1e-2}}
run: {{num_epoch: 2, batch_size: 4, seed: 3, checkpoint_dir: {folder}}}
task: {{hidden_units: [8], dropout: 0.25, metrics_choices: [f1, acc]}}
"""


def numbers(folder):
    """history.csv without the seconds, which no two runs share."""
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def text(network, photos, tmp_path):
    return CONFIG.format(network=network, photos=photos, folder=tmp_path / "ckpt")


def test_every_section_reaches_the_task(read, text):
    task = read(text).build_task()

    parts = task.ingredients
    assert parts.dataset.info.num_examples["train"] == 10
    assert parts.augmentation == Augmentation(min_area=0.5)
    assert (parts.data_seed, task.config.seed, task.config.batch_size) == (7, 3, 4)
    assert task.config.strategy.learning_rate == 1e-2
    assert task.metrics == ("f1", "acc")


def test_a_train_subset_is_drawn_by_the_runs_seed_unless_it_has_its_own(read, text):
    by_run, by_own = (
        read(text, *more).open_dataset().split("train").images
        for more in ((), ("dataset.train_seed=5",))
    )

    folder = read(text).open_dataset()
    assert folder.chosen_train_examples == (10, 3)
    assert by_run != by_own


def test_a_run_is_repeated_by_its_own_config_to_the_last_digit(text, tmp_path):
    (tmp_path / "x.yaml").write_text(text)

    codes = [
        main(["train", "-c", str(tmp_path / "x.yaml")]),
        main(["train", "-c", str(tmp_path / "ckpt" / "config.yaml"),
              "-o", f"run.checkpoint_dir={tmp_path / 'again'}"]),
    ]  # fmt: skip

    assert codes == [0, 0]
    assert len(numbers(tmp_path / "ckpt")) == 2
    assert numbers(tmp_path / "again") == numbers(tmp_path / "ckpt")


@pytest.mark.slow
def test_a_distillation_is_repeated_by_its_own_config(text, teacher, photos, tmp_path):
    section = {
        "name": "distillation",
        "teacher": str(teacher),
        "unlabelled": str(photos / "roses"),
        "loss": {"divergence": "js", "temperature": 2.0},
    }
    (tmp_path / "x.yaml").write_text(text[: text.index("task:")] + yaml.dump({"task": section}))

    codes = [
        main(["train", "-c", str(tmp_path / "x.yaml"), "--num-epoch", "1"]),
        main(["train", "-c", str(tmp_path / "ckpt" / "config.yaml"),
              "-o", f"run.checkpoint_dir={tmp_path / 'again'}"]),
    ]  # fmt: skip

    assert codes == [0, 0]
    written = yaml.safe_load((tmp_path / "ckpt" / "config.yaml").read_text())
    assert written["task"]["loss"]["divergence"] == "js"
    assert numbers(tmp_path / "again") == numbers(tmp_path / "ckpt")
    [line] = numbers(tmp_path / "ckpt")
    assert int(line["step"]) == -(-(10 + 12) // 4)


def test_a_module_may_be_the_teacher(read, refused):
    teacher = "{name: resnet50_imagenet, input_size: 64}"
    config = read("dataset: digits\ntask: {name: distillation}", f"task.teacher={teacher}")

    assert config.calls["task"].arguments["teacher"].preprocessing.height == 64
    assert config.values()["task"]["teacher"]["name"] == "resnet50_imagenet"
    message = refused("task: {name: distillation, teacher: {nmae: resnet50_imagenet}}")
    assert message == "x.yaml:1: 'teacher' has no key 'nmae'; did you mean: name?"
    message = refused("task: {name: distillation}")
    assert message == "x.yaml:1: task (DistillationTask) lacks teacher"


@pytest.mark.slow
def test_a_run_from_python_is_repeated_by_its_config(network, photos, tmp_path):
    dataset = ImageFolder(photos, seed=2, test_fraction=0.2).with_train_examples(9, seed=1)
    hubcls.ImageClassifierTask(
        module=Module(directory=network),
        dataset=dataset,
        data_reader=ImageClassificationReader(data_augmentation=True),
        config=hubcls.RunConfig(
            num_epoch=1,
            batch_size=4,
            strategy=hubcls.CombinedStrategy(scheduler={"warmup": 0.5}, learning_rate=1e-3),
            checkpoint_dir=tmp_path / "python",
        ),
    ).finetune(do_eval=True)

    config = read_config(tmp_path / "python" / "config.yaml")
    task = config.build_task()
    again = hubcls.ImageClassifierTask(
        module=config.module,
        dataset=config.open_dataset(),
        data_reader=ImageClassificationReader(data_augmentation=True),
        config=hubcls.RunConfig(
            **{**config.calls["run"].arguments, "checkpoint_dir": tmp_path / "again"},
            strategy=config.run.strategy,
        ),
    )
    again.finetune(do_eval=True)

    assert task.ingredients.dataset.split("train").images == dataset.split("train").images
    assert numbers(tmp_path / "again") == numbers(tmp_path / "python")


def test_what_a_script_built_itself_is_said_and_refused(make_task, tmp_path):
    make_task().finetune()

    path = tmp_path / "ckpt" / "config.yaml"
    reasons = yaml.safe_load(path.read_text())["not_repeatable"]
    assert set(reasons) == {"module", "dataset"}
    with pytest.raises(ConfigError) as caught:
        read_config(path).build_task()
    message = str(caught.value)
    assert "no file can repeat" in message
    assert "module: the network was given as feature=..." in message
    assert "dataset: stripes is a Dataset made in Python" in message


def test_parts_that_could_not_be_described_may_be_given(make_task, network, photos, tmp_path):
    make_task().finetune()
    (tmp_path / "more.yaml").write_text(
        (tmp_path / "ckpt" / "config.yaml").read_text()
        + f"module: {{directory: {network}}}\ndataset: {photos}\n"
    )

    task = read_config(tmp_path / "more.yaml").build_task()

    assert task.ingredients.dataset.info.class_names == ("daisy", "roses")


class OwnFolder(ImageFolder):
    pass


def test_classes_and_hooks_of_a_script_are_not_repeatable(network, photos, tmp_path):
    task = hubcls.ImageClassifierTask(
        module=Module(directory=network),
        dataset=OwnFolder(photos),
        config=hubcls.RunConfig(checkpoint_dir=tmp_path / "ckpt", num_epoch=0),
    )
    task.add_hook("finetune_start_event", func=lambda task: None)

    task.finetune()

    reasons = yaml.safe_load((tmp_path / "ckpt" / "config.yaml").read_text())["not_repeatable"]
    assert reasons["dataset"].endswith("is a OwnFolder made in Python")
    assert "hooks" in reasons["task"]


def test_a_frozen_backbone_is_not_repeatable(network, photos):
    module = Module(directory=network)
    module.context(trainable=False)

    task = hubcls.ImageClassifierTask(module=module, dataset=ImageFolder(photos))

    assert task.ingredients.sections["module"] == "a script froze its backbone"


def test_the_default_module_stands_in_where_none_is_named(read):
    assert read("").module.name == "efficientnet_lite0_imagenet"
    assert read("module: {input_size: 64}\n").module.preprocessing.height == 64


def test_without_a_data_set_a_task_says_how_to_name_one(read):
    with pytest.raises(ConfigError, match="add --dataset"):
        read("").build_task()
