"""Weights of keras.applications reach our networks as they reach Keras' own."""

import dataclasses
import gc
import inspect

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format
from keras.src.utils import file_utils

from hubcls.errors import ConfigError, WeightsError
from hubcls.home import modules_home
from hubcls.modules import finding
from hubcls.modules.sources import keras_applications, keras_weights
from hubcls.modules.sources.naming import fix_automatic_names

SMALL = "mobilenet_v1_imagenet"
OF_KERAS = [spec.name for spec in finding.specs() if spec.source == "keras_applications"]
HASHLESS = ("mobilenet_v1_imagenet", "mobilenet_v2_imagenet")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    yield
    # The largest networks would not fit side by side.
    gc.collect()
    for path in tmp_path.rglob("*.h5"):
        path.unlink()


@pytest.fixture(scope="module")
def small():
    """MobileNet of Keras itself, with random weights and its head; it wants -1 to 1."""
    keras.utils.set_random_seed(1)
    return keras.applications.MobileNet(
        weights=None, input_shape=(64, 64, 3), classifier_activation=None
    )


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)


def build(name, weights, size=64):
    return build_spec(finding.spec(name), weights, size)


def build_spec(spec, weights, size):
    return keras_applications.build(spec, weights=weights, height=size, width=size)


def save_as_published(network, path):
    """In the format of the files that keras.applications publishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


def close(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    return np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_every_network_of_keras_applications_is_in_the_catalogue():
    constructors = {name for name, member in vars(keras.applications).items() if callable(member)}

    builders = {finding.spec(name).builder for name in OF_KERAS}

    assert len(constructors) >= 40
    assert constructors <= builders


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == SMALL else pytest.mark.slow) for name in OF_KERAS],
)
def test_published_weights_give_what_keras_gives(name, monkeypatch, tmp_path):
    """Keras' own loading of "imagenet", quirks included, against ours, from one file."""
    spec = finding.spec(name)
    builder = getattr(keras.applications, spec.builder)
    asked = {}
    source_file = tmp_path / "published.h5"

    def get_file(fname, origin, file_hash=None, **_):
        asked.update(file=fname, url=origin, hash=file_hash)
        return str(source_file)

    keras.utils.set_random_seed(2)
    plain = builder(weights=None)
    for layer in plain.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            rule = spec.preprocessing
            layer.set_weights([np.array(rule.mean), np.array(rule.std), np.array(0)])
    save_as_published(plain, source_file)
    save_as_published(plain, modules_home() / "keras_applications" / spec.weights.file)
    monkeypatch.setattr(file_utils, "get_file", get_file)
    theirs = builder(weights="imagenet", classifier_activation=None)
    size = spec.preprocessing.height
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    name_of_rule = builder.__module__.rpartition(".")[2]
    prepared = getattr(keras.applications, name_of_rule).preprocess_input(pixels.astype(np.float32))

    unchecked = dataclasses.replace(spec.weights, md5=None, sha256=None)
    ours = build_spec(dataclasses.replace(spec, weights=unchecked), "imagenet", size)

    assert close(ours.head(ours.backbone(pixels)), theirs(prepared))
    assert asked["file"] == spec.weights.file
    assert (asked["url"],) == spec.weights.urls
    assert asked["hash"] == (spec.weights.sha256 or spec.weights.md5)


@pytest.mark.parametrize("name", OF_KERAS)
def test_published_hashes_stand_in_keras_source(name):
    weights = finding.spec(name).weights
    builder = getattr(keras.applications, finding.spec(name).builder)
    sources = inspect.getsource(inspect.getmodule(builder))
    sources += inspect.getsource(inspect.getmodule(keras.applications.ResNet50))

    assert (weights.sha256 or weights.md5 or "") in sources
    assert (weights.sha256 or weights.md5) or name in HASHLESS


def test_weights_saved_by_keras_load_with_their_head(small, image, tmp_path):
    path = tmp_path / "small.weights.h5"
    small.save_weights(path)

    built = build(SMALL, path)

    assert close(built.head(built.backbone(image)), small(image / 127.5 - 1))


def test_a_saved_model_of_keras_loads_with_its_head(small, image, tmp_path):
    path = tmp_path / "small.keras"
    small.save(path)

    built = build(SMALL, path)

    assert close(built.head(built.backbone(image)), small(image / 127.5 - 1))


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_a_backbone_of_ours_loads_without_a_head(suffix, image, tmp_path):
    first = build(SMALL, None).backbone
    path = tmp_path / f"backbone{suffix}"
    (first.save if suffix == ".keras" else first.save_weights)(path)

    built = build(SMALL, path)

    assert built.head is None
    assert close(built.backbone(image), first(image))


def test_below_a_new_head_the_saved_backbone_is_taken(image, tmp_path):
    first = build(SMALL, None).backbone
    pooled = keras.layers.GlobalAveragePooling2D(name="head_pool")(first.output)
    classifier = keras.Model(first.input, keras.layers.Dense(3, name="logits")(pooled))
    classifier.save(tmp_path / "classifier.keras")

    built = build(SMALL, tmp_path / "classifier.keras")

    assert built.head is None
    assert close(built.backbone(image), first(image))


def test_weights_of_another_network_are_refused(tmp_path):
    other = keras.applications.MobileNet(weights=None, include_top=False, alpha=0.25)
    other.save_weights(tmp_path / "other.weights.h5")
    other.save(tmp_path / "other.keras")

    for name in ("other.weights.h5", "other.keras"):
        with pytest.raises(WeightsError, match="does not fit"):
            build(SMALL, tmp_path / name)


def test_a_file_that_is_no_weights_file_is_refused(tmp_path):
    (tmp_path / "noise.h5").write_bytes(b"noise")
    (tmp_path / "noise.keras").write_bytes(b"noise")
    (tmp_path / "noise.txt").write_bytes(b"noise")

    with pytest.raises(WeightsError, match="does not fit"):
        build(SMALL, tmp_path / "noise.h5")
    with pytest.raises(WeightsError, match="cannot be read"):
        build(SMALL, tmp_path / "noise.keras")
    with pytest.raises(WeightsError, match=r"can be .weights.h5, .h5 or .keras"):
        build(SMALL, tmp_path / "noise.txt")


def test_weights_that_leave_a_layer_random_are_refused(small, tmp_path):
    path = tmp_path / "small.weights.h5"
    small.save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d_3"]

    with pytest.raises(WeightsError, match="does not fit"):
        build(SMALL, path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.h5"):
        keras_weights.fill([], tmp_path / "gone.h5")


@pytest.mark.slow
def test_an_efficientnet_that_normalised_otherwise_is_refused(tmp_path):
    plain = keras.applications.EfficientNetB0(weights=None, include_top=False)
    plain.save_weights(tmp_path / "plain.weights.h5")

    with pytest.raises(WeightsError, match="normalises pixels by mean"):
        build("efficientnetb0_imagenet", tmp_path / "plain.weights.h5")


def test_a_vgg_at_another_size_keeps_its_convolutions_and_loses_its_head(tmp_path):
    keras.utils.set_random_seed(3)
    plain = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    path = tmp_path / "vgg.weights.h5"
    plain.save_weights(path)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), dtype=np.uint8)
    prepared = keras.applications.vgg16.preprocess_input(pixels.astype(np.float32))

    spec = finding.spec("vgg16_imagenet")
    smaller = spec.preprocessing.replaced(height=64, width=64)
    built = build_spec(dataclasses.replace(spec, preprocessing=smaller), path, 96)

    assert built.head is None
    larger = keras.applications.VGG16(weights=None, include_top=False, input_shape=(96, 96, 3))
    larger.set_weights(plain.get_weights())
    assert close(built.backbone(pixels), larger(prepared))


def test_names_are_the_same_on_every_call():
    network = "mobilenet_v3_small_imagenet"
    first = [operation.name for operation in build(network, None).backbone.operations]

    second = [operation.name for operation in build(network, None).backbone.operations]

    assert first == second


def test_automatic_names_do_not_take_given_ones():
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(2, 1, name="conv2d_17")(image)
    x = keras.layers.Conv2D(2, 1, name="mine")(x)
    x = keras.layers.ReLU()(x)
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(x))

    fix_automatic_names(model)

    assert [layer.name for layer in model.layers] == [
        "image",
        "conv2d",
        "mine",
        "re_lu",
        "conv2d_1",
    ]
