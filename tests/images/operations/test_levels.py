"""Pillow is the reference: equal to the last bit."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from hubcls.images.operations import levels

ENHANCERS = {
    "brightness": ImageEnhance.Brightness,
    "color": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "sharpness": ImageEnhance.Sharpness,
}
OTHERS = {
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "invert": lambda image, _: ImageOps.invert(image),
}


def of_pillow(images, function, *arguments):
    return np.stack([np.asarray(function(Image.fromarray(i), *arguments)) for i in images])


def applied(name, images, parameter):
    parameters = tf.fill([len(images)], float(parameter))
    return getattr(levels, name)(tf.constant(images), parameters).numpy()


@pytest.mark.parametrize("factor", [0.01, 0.1, 0.55, 1.0, 1.3, 1.9, 5.5])
@pytest.mark.parametrize("name", ENHANCERS)
def test_enhancers_are_pillows(photos, name, factor):
    expected = of_pillow(photos, lambda image: ENHANCERS[name](image).enhance(factor))

    assert np.array_equal(applied(name, photos, factor), expected)


@pytest.mark.parametrize("name", OTHERS)
def test_operations_without_parameter_are_pillows(photos, name):
    expected = of_pillow(photos, OTHERS[name], None)

    assert np.array_equal(applied(name, photos, 0), expected)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_is_pillows(photos, bits):
    assert np.array_equal(
        applied("posterize", photos, bits), of_pillow(photos, ImageOps.posterize, bits)
    )


@pytest.mark.parametrize("threshold", [0, 1, 100, 100.5, 255, 256])
def test_solarize_is_pillows(photos, threshold):
    assert np.array_equal(
        applied("solarize", photos, threshold), of_pillow(photos, ImageOps.solarize, threshold)
    )


@pytest.mark.parametrize("name", ["autocontrast", "equalize"])
@pytest.mark.parametrize("distinct", [1, 2, 3, 100])
def test_channels_of_few_levels_are_treated_as_in_pillow(name, distinct):
    random = np.random.default_rng(distinct)
    chosen = random.choice(256, (8, distinct))
    images = np.stack([random.choice(row, (20, 17, 3)) for row in chosen]).astype(np.uint8)

    assert np.array_equal(applied(name, images, 0), of_pillow(images, OTHERS[name], None))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 3)])
def test_sharpness_of_tiny_images_is_pillows(size):
    images = np.random.default_rng(0).integers(0, 256, (4, *size, 3), np.uint8)
    expected = of_pillow(images, lambda image: ImageEnhance.Sharpness(image).enhance(1.7))

    assert np.array_equal(applied("sharpness", images, 1.7), expected)


@pytest.mark.parametrize("name", [*ENHANCERS, *OTHERS, "posterize", "solarize"])
def test_each_image_has_a_parameter_of_its_own_and_there_may_be_none(photos, name):
    parameters = [0.1, 0.5, 1.0, 1.2, 1.5, 1.9]
    function = tf.function(getattr(levels, name), autograph=False)

    together = function(tf.constant(photos), tf.constant(parameters))
    none = function(tf.constant(photos[:0]), tf.zeros([0]))

    alone = [applied(name, photos[k : k + 1], parameters[k])[0] for k in range(len(photos))]
    assert np.array_equal(together, alone)
    assert none.shape == (0, *photos.shape[1:])


def test_floats_are_rounded_and_clipped_to_levels():
    found = levels.as_levels(tf.constant([-3.0, 0.4, 0.6, 254.7, 300.0]))

    assert found.numpy().tolist() == [0, 0, 1, 255, 255]
