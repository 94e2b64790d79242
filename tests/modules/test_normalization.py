"""The first layer of every backbone."""

import keras
import numpy as np
import pytest

from hubcls.errors import ConfigError
from hubcls.modules.normalization import InputNormalization, normalised_input
from hubcls.preprocessing import Preprocessing

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)


def test_pixels_become_zero_mean_and_unit_deviation(pixels):
    found = InputNormalization(MEAN, STD)(pixels)

    np.testing.assert_allclose(found, (pixels / 255 - MEAN) / STD, atol=1e-6)


def test_networks_that_read_bgr_get_their_numbers_in_that_order(pixels):
    found = InputNormalization(MEAN, STD, "BGR")(pixels)

    np.testing.assert_allclose(found, (pixels[..., ::-1] / 255 - MEAN) / STD, atol=1e-6)


def test_arithmetic_is_float32_under_mixed_precision(pixels):
    layer = InputNormalization(MEAN, STD, dtype="mixed_bfloat16")

    found = layer(pixels.astype(np.float32) + 0.3)

    expected = keras.ops.cast(((pixels + 0.3) / 255 - MEAN) / STD, "bfloat16")
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(
        keras.ops.cast(found, "float32"), keras.ops.cast(expected, "float32"), rtol=4e-3
    )


def test_layer_survives_its_configuration(pixels):
    layer = InputNormalization(MEAN, STD, "BGR")

    twin = keras.layers.deserialize(keras.layers.serialize(layer))

    np.testing.assert_array_equal(twin(pixels), layer(pixels))
    assert twin.weights == []


def test_images_may_be_bytes_or_floats(pixels):
    image, normalised = normalised_input(Preprocessing(4, 5, mean=MEAN, std=STD))
    model = keras.Model(image, normalised)

    np.testing.assert_array_equal(model(pixels), model(pixels.astype(np.float32)))
    assert image.name == "image"


def test_channels_first_is_an_error_that_says_how_to_set_it_back(monkeypatch):
    monkeypatch.setattr(keras.config, "image_data_format", lambda: "channels_first")

    with pytest.raises(ConfigError, match="set_image_data_format"):
        normalised_input(Preprocessing(4, 5))
