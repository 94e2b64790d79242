"""keras-cv's backbones by constructor, and its layers as augmentation in the pipeline."""

import sys

import keras
import numpy as np
import pytest

from hubcls.classification.rebuilding import rebuilt
from hubcls.datasets.base import Split
from hubcls.errors import MissingExtraError, WeightsError
from hubcls.modules import finding
from hubcls.modules.module import Module
from hubcls.pipeline.building import TrainingStream
from hubcls.preprocessing import Preprocessing

keras_cv = pytest.importorskip("keras_cv")

CATALOGUED = [spec for spec in finding.specs() if spec.source == "keras_cv"]
QUICK = {"keras_cv.mobilenet_v3_small", "keras_cv.resnet18"}
# One network of each class: its sizes differ in numbers alone.
SMALLEST = {
    "keras_cv.csp_darknet_tiny",
    "keras_cv.densenet121",
    "keras_cv.efficientnet_lite_b0",
    "keras_cv.efficientnetv1_b0",
    "keras_cv.efficientnetv2_b0",
    "keras_cv.resnet18_v2",
    "keras_cv.vgg16",
    "keras_cv.vitdet_base",
}
SIZE = 64


def named(names):
    for name in sorted(names):
        yield pytest.param(name, marks=() if name in QUICK else (pytest.mark.slow,), id=name)


@pytest.fixture(scope="module", params=named(QUICK | SMALLEST))
def module(request):
    keras.utils.set_random_seed(0)
    yield Module(request.param, weights=None, input_size=SIZE)
    keras.utils.clear_session()


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)


def test_module_equals_keras_cvs_network_with_its_own_rescaling(module, image):
    builder = getattr(keras_cv.models, module.spec.builder)
    own = builder(include_rescaling=True, input_shape=(SIZE, SIZE, 3), **module.spec.parameters)
    own.set_weights(module.backbone.get_weights())
    expected = np.asarray(own(image.astype("float32")))

    found = module.backbone(image)

    assert np.abs(expected).max() > 0
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_backbone_can_be_rebuilt(module, image):
    again = rebuilt(module.backbone, "float32")

    np.testing.assert_array_equal(again(image), module.backbone(image))


def test_names_are_the_same_on_every_call(module):
    again = Module(module.name, weights=None, input_size=SIZE)

    names = [layer.name for layer in again.backbone.layers]
    assert names == [layer.name for layer in module.backbone.layers]


@pytest.mark.parametrize("name", named(spec.name for spec in CATALOGUED))
def test_catalogue_has_the_networks_size_and_groups_hold_every_layer_once(name):
    spec = finding.spec(name)
    size = spec.preprocessing.height if "vitdet" in name else SIZE
    module = Module(name, weights=None, input_size=size)

    grouped = [layer for group in module.layer_groups for layer in group.layers]

    assert module.backbone.count_params() == spec.num_parameters
    assert module.backbone.output.shape[-1] == spec.num_features
    assert sorted(grouped) == sorted(
        layer.name for layer in module.backbone.layers if layer.weights
    )


def test_weights_come_back_from_a_file(tmp_path, image):
    module = Module("keras_cv.resnet18", weights=None, input_size=SIZE)
    module.backbone.save_weights(tmp_path / "resnet18.weights.h5")

    loaded = Module("keras_cv.resnet18", weights=tmp_path / "resnet18.weights.h5", input_size=SIZE)

    np.testing.assert_array_equal(loaded.backbone(image), module.backbone(image))


def test_published_weights_are_refused_with_a_way_on():
    with pytest.raises(WeightsError, match=r"weights=None[\s\S]*hubcls modules search resnet"):
        _ = Module("keras_cv.resnet50").backbone


def test_missing_keras_cv_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'hubcls\[keras-cv\]'"):
        _ = Module("keras_cv.resnet50", weights=None).backbone


AUGMENTATIONS = {
    "cutout": lambda: keras_cv.layers.RandomCutout(0.5, 0.5, seed=1),
    "grid_mask": lambda: keras_cv.layers.GridMask(seed=1),
    "channel_shuffle": lambda: keras_cv.layers.ChannelShuffle(groups=3, seed=1),
    "crop_and_resize": lambda: keras_cv.layers.RandomCropAndResize(
        target_size=(SIZE, SIZE), crop_area_factor=(0.4, 0.6), aspect_ratio_factor=(1.0, 1.0)
    ),
}


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_layers_augment_the_batches_of_a_training_stream(augmentation):
    pixels = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    stream = TrainingStream(
        split=Split(pixels, np.arange(12) % 3),
        num_classes=3,
        preprocessing=Preprocessing(height=SIZE, width=SIZE, crop_fraction=1.0),
        batch_size=4,
        augmentation=None,
        seed=0,
    )
    layer = augmentation()
    plain = list(stream.batches(0, 3))

    mapped = stream.batches(0, 3).map(lambda images, targets: (layer(images), targets))

    assert mapped.cardinality() == 3
    changed = False
    for (images, targets), (before, expected) in zip(mapped, plain, strict=True):
        assert images.shape == before.shape
        assert images.dtype in ("uint8", "float32")
        assert np.min(images) >= 0
        assert 1 < np.max(images) <= 255
        np.testing.assert_array_equal(targets, expected)
        changed |= bool(np.any(np.asarray(images) != np.asarray(before)))
    assert changed
