"""The two ways to ask for a task: a module, or PaddleHub's tensors and reader."""

import random

import keras
import numpy as np
import pytest

import hubcls
from hubcls.errors import ConfigError
from hubcls.reader import ImageClassificationReader


@pytest.fixture(scope="module")
def module():
    return hubcls.Module(name="efficientnet_lite0_imagenet", weights=None, input_size=32)


def weights_of(model, names):
    return [np.asarray(v).copy() for name in names for v in model.get_layer(name).weights]


def config(tmp_path, **settings):
    return hubcls.RunConfig(checkpoint_dir=tmp_path / "ckpt", num_epoch=1, batch_size=8, **settings)


def test_a_module_brings_its_groups_and_its_preprocessing(module, dataset, tmp_path):
    task = hubcls.ImageClassifierTask(module=module, dataset=dataset, config=config(tmp_path))

    groups = task._assembly.groups

    assert [group.name for group in groups[:-1]] == [group.name for group in module.layer_groups]
    assert groups[-1].is_head
    # The stripes say that a crop loses their label: they are shown whole.
    assert task.ingredients.preprocessing == module.preprocessing.replaced(resize="letterbox")
    grouped = [layer.name for group in groups for layer in group.layers]
    assert sorted(grouped) == sorted(
        layer.name for layer in task.classifier.layers if layer.weights
    )


def test_paddlehubs_form_finds_the_module_behind_the_feature(module, dataset, tmp_path):
    inputs, outputs, _ = module.context(trainable=True)
    reader = ImageClassificationReader(
        image_width=module.get_expected_image_width(),
        image_height=module.get_expected_image_height(),
        images_mean=module.get_pretrained_images_mean(),
        images_std=module.get_pretrained_images_std(),
        dataset=dataset,
    )

    task = hubcls.ImageClassifierTask(
        data_reader=reader,
        feed_list=[inputs["image"].name],
        feature=outputs["feature_map"],
        num_classes=dataset.num_labels,
        config=config(tmp_path),
    )

    assert task.ingredients.module["name"] == "efficientnet_lite0_imagenet"
    assert task.ingredients.groups == module.layer_groups
    assert task.ingredients.preprocessing == module.preprocessing.replaced(resize="letterbox")


def test_a_frozen_context_trains_the_head_alone(dataset, tmp_path):
    module = hubcls.Module(name="efficientnet_lite0_imagenet", weights=None, input_size=32)
    _, outputs, _ = module.context(trainable=False)
    task = hubcls.ImageClassifierTask(
        feature=outputs["feature_map"],
        dataset=dataset,
        config=config(tmp_path, strategy=hubcls.DefaultStrategy(learning_rate=0.01)),
    )
    body = [name for group in module.layer_groups for name in group.layers]
    before, head = weights_of(task.classifier, body), weights_of(task.classifier, ["logits"])

    task.finetune()

    for old, new in zip(before, weights_of(task.classifier, body), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(head[0], weights_of(task.classifier, ["logits"])[0])


def test_layers_of_ones_own_belong_to_the_head(module, dataset, tmp_path):
    _, outputs, _ = module.context()
    feature = keras.layers.Dense(5, activation="relu", name="mine")(outputs["feature_map"])

    task = hubcls.ImageClassifierTask(feature=feature, dataset=dataset, config=config(tmp_path))

    assert [layer.name for layer in task._assembly.groups[-1].layers] == ["mine", "logits"]


def test_a_reader_of_another_size_says_how_to_build_the_module_for_it(module, dataset, tmp_path):
    reader = ImageClassificationReader(64, 64, dataset)

    with pytest.raises(ConfigError, match="input_size=64"):
        hubcls.ImageClassifierTask(module=module, data_reader=reader, config=config(tmp_path))


def test_a_reader_that_normalises_otherwise_is_an_error(module, dataset, tmp_path):
    reader = ImageClassificationReader(32, 32, dataset, images_mean=[0.1, 0.2, 0.3])

    with pytest.raises(ConfigError, match="images_mean"):
        hubcls.ImageClassifierTask(module=module, data_reader=reader, config=config(tmp_path))


def test_the_readers_seed_orders_the_data(module, dataset, tmp_path):
    task = hubcls.ImageClassifierTask(
        module=module,
        data_reader=ImageClassificationReader(dataset=dataset, random_seed=5),
        config=config(tmp_path, seed=1),
    )

    assert task._assembly.stream.seed == 5


def test_a_name_where_a_module_or_a_data_set_belongs_is_an_error(module, dataset):
    with pytest.raises(ConfigError, match=r"hubcls\.Module\(name=\.\.\.\), not 'resnet50'"):
        hubcls.ImageClassifierTask(module="resnet50", dataset=dataset)
    with pytest.raises(ConfigError, match=r"ImageFolder\(path\), not 'photos'"):
        hubcls.ImageClassifierTask(module=module, dataset="photos")


def test_a_reader_with_another_data_set_is_an_error(module, dataset):
    reader = ImageClassificationReader(dataset=hubcls.datasets.Digits())

    with pytest.raises(ConfigError, match="dataset is stripes, but data_reader brings"):
        hubcls.ImageClassifierTask(module=module, dataset=dataset, data_reader=reader)


@pytest.mark.parametrize("widths", [64, [0], ["64"], [True]])
def test_hidden_units_that_are_no_widths_are_an_error(module, dataset, widths):
    with pytest.raises(ConfigError, match=r"hidden_units must be widths such as \[256\]"):
        hubcls.ImageClassifierTask(module=module, dataset=dataset, hidden_units=widths)


def test_a_module_and_a_feature_together_are_an_error(module, dataset, backbone):
    with pytest.raises(ConfigError, match="not both"):
        hubcls.ImageClassifierTask(module=module, feature=backbone.output, dataset=dataset)


@pytest.mark.slow
def test_the_tasks_own_copy_trains_and_the_module_stays_as_it_was(module, dataset, tmp_path):
    names = [name for group in module.layer_groups for name in group.layers]
    before = weights_of(module.backbone, names)
    task = hubcls.ImageClassifierTask(
        module=module,
        dataset=dataset,
        config=config(tmp_path, strategy=hubcls.DefaultStrategy(learning_rate=0.01)),
    )

    task.finetune()

    for old, new in zip(before, weights_of(module.backbone, names), strict=True):
        np.testing.assert_array_equal(old, new)


def test_random_weights_of_a_module_are_those_of_the_runs_seed(dataset, tmp_path):
    def start(seed, module=None):
        return hubcls.ImageClassifierTask(
            module=module or hubcls.Module(name="resnet20_cifar", weights=None, input_size=16),
            dataset=dataset,
            config=config(tmp_path, seed=seed),
        )

    def kernel(task):
        return np.asarray(task.classifier.get_layer("layer3.2.conv2").kernel)

    first = start(3)
    np.testing.assert_array_equal(kernel(first), kernel(start(3)))
    assert np.abs(kernel(first) - kernel(start(4))).max() > 0
    built = hubcls.Module(name="resnet20_cifar", weights=None, input_size=16)
    assert built.backbone.layers
    assert "was drawn before" in start(3, built).ingredients.sections["module"]


def test_making_a_task_leaves_the_callers_chance_alone(module, dataset, tmp_path):
    random.seed(5)
    expected = random.random()
    random.seed(5)

    hubcls.ImageClassifierTask(module=module, dataset=dataset, config=config(tmp_path))

    assert random.random() == expected
