import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_image

from hubcls.images.decoding import read_with_pillow
from hubcls.images.resizing import aligned, evaluation_window, load, resize
from hubcls.preprocessing import Preprocessing

WHITE = 255


def bars(height, width, *, share=0.5):
    """Black, with white in the right `share` of the columns."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, round(width * (1 - share)) :] = WHITE
    return image


def checks(height, width):
    grey = (np.indices((height, width)).sum(axis=0) % 2 * WHITE).astype(np.uint8)
    return np.stack([grey] * 3, axis=-1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((100, 200), (6, 56, 88, 88)),
        ((200, 100), (56, 6, 88, 88)),
        ((224, 224), (14, 14, 196, 196)),
        ((1, 1), (0, 0, 1, 1)),
        ((1, 900), (0, 449, 1, 1)),
    ],
)
def test_center_crop_takes_the_middle_square(size, expected):
    window, _ = evaluation_window(tf.constant(size), Preprocessing(224, 224))

    assert tuple(window.numpy()) == expected


def test_center_crop_has_the_aspect_ratio_of_the_input():
    wide = Preprocessing(100, 200, crop_fraction=1.0)

    for size, expected in (((300, 400), [50, 0, 200, 400]), ((300, 800), [0, 100, 300, 600])):
        window, _ = evaluation_window(tf.constant(size), wide)
        assert window.numpy().tolist() == expected


@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (40, 56), (500, 375)])
def test_every_rule_gives_the_input_size_in_uint8(rule, interpolation, size):
    preprocessing = Preprocessing(32, 48, resize=rule, interpolation=interpolation)

    resized = resize(tf.constant(bars(*size)), preprocessing)

    assert resized.shape == (32, 48, 3)
    assert resized.dtype == tf.uint8


@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
def test_an_image_of_the_input_size_is_left_alone(picture, rule):
    preprocessing = Preprocessing(40, 56, resize=rule, crop_fraction=1.0)

    assert np.array_equal(resize(tf.constant(picture), preprocessing), picture)


def test_stretch_ignores_the_aspect_ratio():
    resized = resize(tf.constant(bars(100, 40)), Preprocessing(10, 20, resize="stretch"))

    assert np.array_equal(resized, bars(10, 20))


def test_letterbox_keeps_the_whole_image_between_grey_bars():
    image = np.full((40, 20, 3), WHITE, np.uint8)

    resized = resize(tf.constant(image), Preprocessing(20, 20, resize="letterbox")).numpy()

    assert np.all(resized[:, 5:15] == WHITE)
    assert np.all(resized[:, :5] == 128)
    assert np.all(resized[:, 15:] == 128)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_fine_patterns_are_averaged_when_sides_shrink_to_half_or_less(interpolation):
    preprocessing = Preprocessing(24, 24, crop_fraction=1.0, interpolation=interpolation)

    resized = resize(tf.constant(checks(96, 96)), preprocessing).numpy()

    assert np.all(np.abs(resized.astype(int) - 127.5) <= 1)


def test_each_side_is_averaged_by_its_own_factor():
    stripes = np.repeat(checks(1, 96), 30, axis=0)

    resized = resize(tf.constant(stripes), Preprocessing(24, 24, resize="stretch")).numpy()

    assert np.all(np.abs(resized.astype(int) - 127.5) <= 1)


@pytest.mark.parametrize(
    ("name", "pillow"),
    [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)],
)
def test_enlarging_equals_pillow(picture, name, pillow):
    preprocessing = Preprocessing(90, 100, resize="stretch", interpolation=name)

    resized = resize(tf.constant(picture), preprocessing).numpy().astype(int)

    expected = np.asarray(Image.fromarray(picture).resize((100, 90), pillow)).astype(int)
    assert np.abs(resized - expected).max() <= 1


def test_bicubic_overshoot_is_clipped_not_wrapped():
    preprocessing = Preprocessing(16, 64, resize="stretch", interpolation="bicubic")

    resized = resize(tf.constant(bars(8, 32)), preprocessing).numpy().astype(int)

    assert np.all(np.diff(resized[0, :, 0]) >= 0)


@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_loading_a_file_equals_decoding_then_resizing(saved, rule, name):
    noisy = np.random.default_rng(0).integers(0, 256, (70, 111, 3), np.uint8)
    path = saved(noisy, name)
    preprocessing = Preprocessing(48, 40, resize=rule)

    loaded = load(tf.constant(path), tf.constant(name == "a.webp"), preprocessing)

    whole = tf.constant(read_with_pillow(path))
    assert np.array_equal(loaded, resize(whole, preprocessing))


@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
@pytest.mark.parametrize("side", [90, 48, 24])
def test_a_jpeg_that_is_decoded_small_is_loaded_nearly_as_its_picture(saved, rule, side):
    path = saved(load_sample_image("china.jpg"), "a.jpg", quality=92)
    preprocessing = Preprocessing(side, side, resize=rule)

    loaded = load(tf.constant(path), False, preprocessing).numpy().astype(int)

    whole = tf.constant(read_with_pillow(path))
    difference = np.abs(loaded - resize(whole, preprocessing).numpy())
    assert 0 < difference.mean() < 1.5
    assert difference.max() <= 32


@pytest.mark.parametrize(
    ("window", "wanted", "expected"),
    [
        ((3, 5, 19, 40), (10, 10), ((3, 5, 19, 40), 0)),
        ((3, 5, 21, 41), (10, 20), ((2, 4, 20, 40), 1)),
        ((0, 3, 101, 803), (10, 100), ((0, 0, 96, 800), 3)),
        ((7, 7, 1000, 1000), (10, 10), ((0, 0, 1000, 1000), 3)),
        ((1, 1, 9, 9), (20, 20), ((1, 1, 9, 9), 0)),
    ],
)
def test_windows_to_be_shrunk_lie_on_the_blocks_of_a_jpeg(window, wanted, expected):
    found, halvings = aligned(tf.constant(window), tf.constant(wanted))

    assert (tuple(found.numpy()), int(halvings)) == expected


def test_aligned_windows_stay_inside_with_as_many_pixels_as_wanted():
    random = np.random.default_rng(0)
    for _ in range(100):
        sides, corner = random.integers(1, 300, 2), random.integers(0, 50, 2)
        wanted = random.integers(1, 40, 2)

        window, halvings = aligned(
            tf.constant([*corner, *sides], tf.int32), tf.constant(wanted, tf.int32)
        )

        found, block = window.numpy(), 2 ** int(halvings)
        assert not (found % block).any() or block == 1
        assert np.all(found[:2] > corner - block)
        assert np.all(found[:2] + found[2:] <= corner + sides)
        assert block == 1 or np.all(found[2:] // block >= wanted)


def test_a_large_photo_is_loaded(saved):
    path = saved(bars(4000, 6000, share=0.25), "a.jpg")
    preprocessing = Preprocessing(40, 60, crop_fraction=1.0)

    loaded = load(tf.constant(path), False, preprocessing).numpy().astype(int)

    assert np.abs(loaded - bars(40, 60, share=0.25)).max() <= 6
