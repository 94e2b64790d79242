import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.images.operations.warping import WARPS, warp

GREY = (128, 128, 128)


def affine(matrix):
    def apply(image):
        return image.transform(
            image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=GREY
        )

    return apply


def warped(name, images, parameter):
    kinds = tf.fill([len(images)], WARPS.index(name))
    return warp(tf.constant(images), kinds, tf.fill([len(images)], float(parameter))).numpy()


def of_pillow(images, function):
    return np.stack([np.asarray(function(Image.fromarray(image))) for image in images])


@pytest.mark.parametrize("slope", [0.3, -0.17, 0.99])
def test_shears_are_pillows(photos, slope):
    across, down = warped("shear_x", photos, slope), warped("shear_y", photos, slope)

    assert np.array_equal(across, of_pillow(photos, affine((1, slope, 0, 0, 1, 0))))
    assert np.array_equal(down, of_pillow(photos, affine((1, 0, 0, slope, 1, 0))))


@pytest.mark.parametrize("pixels", [24, -7])
def test_translations_are_pillows_and_count_in_shares_of_the_side(photos, pixels):
    height, width = photos.shape[1:3]

    across = warped("translate_x", photos, pixels / width)
    down = warped("translate_y", photos, pixels / height)

    assert np.array_equal(across, of_pillow(photos, affine((1, 0, pixels, 0, 1, 0))))
    assert np.array_equal(down, of_pillow(photos, affine((1, 0, 0, 0, 1, pixels))))


@pytest.mark.parametrize("degrees", [30, -17, 90, 135])
def test_rotations_are_pillows_but_for_ties_between_pixels(photos, degrees):
    # Pillow rounds places to 1/65536 of a pixel; a few then fall into the neighbour.
    expected = of_pillow(photos, lambda image: image.rotate(degrees, fillcolor=GREY))

    differs = np.any(warped("rotate", photos, degrees) != expected, axis=-1)

    assert differs.mean() < 0.005


def test_a_whole_turn_changes_nothing(photos):
    assert np.mean(warped("rotate", photos, 360) != photos) < 0.005


def test_images_of_one_batch_are_moved_in_different_ways(photos):
    kinds, parameters = [0, 1, 2, 3, 4, 4], [0.2, -0.2, 0.1, -0.1, 20.0, -20.0]

    together = warp(tf.constant(photos), tf.constant(kinds), tf.constant(parameters))

    for row, (kind, parameter) in enumerate(zip(kinds, parameters, strict=True)):
        alone = warped(WARPS[kind], photos[row : row + 1], parameter)
        assert np.array_equal(together[row], alone[0])


def test_moved_far_away_only_grey_is_left(photos):
    assert np.all(warped("translate_x", photos, 1.5) == 128)
