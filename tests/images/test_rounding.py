"""Computed pixels become the nearest levels."""

import numpy as np
import pytest
import tensorflow as tf

from hubcls.images.rounding import nearest_levels


@pytest.mark.parametrize("is_compiled", [False, True])
def test_levels_are_the_nearest_within_0_to_255(is_compiled):
    pixels = np.random.default_rng(0).uniform(-300, 600, (64, 224, 3)).astype(np.float32)
    rounded = tf.function(nearest_levels) if is_compiled else nearest_levels

    levels = rounded(pixels).numpy()

    assert levels.dtype == np.uint8
    np.testing.assert_array_equal(levels, np.floor(np.clip(pixels, 0, 255) + 0.5))


def test_halves_are_rounded_up_and_whole_numbers_stay():
    steps = np.arange(0, 255.5, 0.5, np.float32)

    assert nearest_levels(steps).numpy().tolist() == np.floor(steps + 0.5).astype(int).tolist()


def test_no_images_stay_none():
    assert nearest_levels(tf.zeros([0, 8, 8, 3])).shape == (0, 8, 8, 3)
