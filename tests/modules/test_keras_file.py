"""A folder with a `.keras` model is a module."""

import keras
import numpy as np
import pytest

import hubcls
from hubcls.errors import ConfigError
from hubcls.modules.spec import InputRule

RULE = InputRule(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), crop_fraction=1.0)


@pytest.fixture(scope="module")
def foreign():
    """A network from elsewhere that wants normalised pixels."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3), name="pixels")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(pixels)
    x = keras.layers.BatchNormalization(name="bn")(x)
    return keras.Model(pixels, x + 1.0, name="foreign")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)


def folder_with(model, tmp_path):
    model.save(tmp_path / "model.keras")
    return tmp_path


def test_a_saved_backbone_comes_back_with_its_normalisation(backbone, tmp_path, images):
    module = hubcls.Module(directory=folder_with(backbone, tmp_path))

    np.testing.assert_allclose(module.backbone(images), backbone(images), atol=1e-5)
    np.testing.assert_allclose(module.get_pretrained_images_std(), [[0.25, 0.25, 0.25]])
    assert [layer.name for layer in module.backbone.layers[:2]] == ["image", "input_normalization"]


def test_a_foreign_network_gets_pixels_by_the_given_rule(foreign, tmp_path, images):
    module = hubcls.Module(directory=folder_with(foreign, tmp_path), rule=RULE)

    expected = foreign((images / 255 - RULE.mean) / RULE.std)
    np.testing.assert_allclose(module.backbone(images), expected, rtol=1e-4, atol=1e-5)


def test_a_foreign_network_gets_pixels_as_they_are_without_a_rule(foreign, tmp_path, images):
    module = hubcls.Module(directory=folder_with(foreign, tmp_path))

    np.testing.assert_allclose(module.backbone(images), foreign(images), rtol=1e-4, atol=1e-4)


def test_a_saved_network_takes_another_size(foreign, tmp_path):
    module = hubcls.Module(directory=folder_with(foreign, tmp_path), input_size=24)

    assert module.backbone.output_shape == (None, 12, 12, 4)


def test_other_weights_than_its_own_are_refused(foreign, tmp_path):
    module = hubcls.Module(directory=folder_with(foreign, tmp_path), weights=None)

    with pytest.raises(ConfigError, match="its own weights"):
        assert module.backbone


def test_two_models_in_a_folder_are_an_error(foreign, tmp_path):
    folder = folder_with(foreign, tmp_path)
    foreign.save(folder / "second.keras")

    with pytest.raises(ConfigError, match=r"one .keras model, not \['model.keras', 'second.keras'"):
        hubcls.Module(directory=folder)


def test_a_network_without_an_image_is_an_error(tmp_path):
    numbers = keras.Input((5,))
    model = keras.Model(numbers, keras.layers.Dense(2)(numbers))

    with pytest.raises(ConfigError, match="a module takes one image"):
        hubcls.Module(directory=folder_with(model, tmp_path))


def test_a_damaged_file_is_an_error(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"noise")

    with pytest.raises(ConfigError, match=r"model.keras is no .keras model"):
        hubcls.Module(directory=tmp_path)


def test_repr_says_that_the_weights_are_its_own(foreign, tmp_path):
    module = hubcls.Module(directory=folder_with(foreign, tmp_path))

    assert repr(module) == f"<Module {tmp_path.name}: its own weights, 16x16>"
