import numpy as np
import pytest
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.images.operations.erasing import Cutout, GridMask, HideAndSeek, RandomErasing

COUNT = 400
TARGETS = tf.zeros([COUNT, 2])


def hidden(operation, seeds_of, size=(40, 40)):
    """Which pixels the operation changed in COUNT images of one impossible colour, bool."""
    images = tf.fill([COUNT, *size, 3], -7.0)
    changed, targets = operation(images, TARGETS, seeds_of(COUNT))
    assert np.array_equal(targets, TARGETS)
    return np.any(changed.numpy() != -7, axis=-1)


def bounds(mask):
    """Top, bottom, left and right of what is hidden in one image; the last two exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_cutout_hides_a_square_that_the_border_may_cut(seeds_of):
    masks = hidden(Cutout(size=0.5), seeds_of)

    for mask in masks:
        top, bottom, left, right = bounds(mask)
        assert mask.sum() == (bottom - top) * (right - left)
        assert bottom - top == 20 or top == 0 or bottom == 40
    assert max(mask.sum() for mask in masks) == 400
    # An inner pixel is hidden by a quarter of all squares, a corner by a sixteenth.
    assert masks[:, 20, 20].mean() == pytest.approx(1 / 4, abs=0.07)
    assert masks[:, 0, 0].mean() == pytest.approx(1 / 16, abs=0.04)


def test_cutouts_square_is_measured_by_the_shorter_side(seeds_of):
    masks = hidden(Cutout(size=0.5), seeds_of, size=(20, 60))

    assert max(mask.sum() for mask in masks) == 10 * 10


def test_what_is_hidden_shows_the_fill(photos, seeds_of):
    images = tf.constant(photos)

    changed, _ = Cutout(fill=(1, 2, 3))(images, tf.zeros([6, 1]), seeds_of(6))

    differs = np.any(changed.numpy() != photos, axis=-1)
    assert np.all(changed.numpy()[differs] == [1, 2, 3])


def test_random_erasing_keeps_to_areas_and_aspect_ratios(seeds_of):
    masks = hidden(RandomErasing(probability=1), seeds_of, size=(100, 100))

    shares, aspects = [], []
    for mask in masks:
        top, bottom, left, right = bounds(mask)
        assert mask.sum() == (bottom - top) * (right - left)
        shares.append(mask.mean())
        aspects.append((bottom - top) / (right - left))
    assert 0.018 < min(shares) < 0.03
    assert 0.37 < max(shares) < 0.41
    assert 0.28 < min(aspects) < 0.6
    assert 2.8 < max(aspects) < 3.5
    # Uniform in the ratio, not in its logarithm: most boxes are tall.
    assert np.mean(np.array(aspects) > 1) > 0.65


def test_random_erasing_happens_with_its_probability(seeds_of):
    masks = hidden(RandomErasing(probability=0.3), seeds_of)

    assert masks.any(axis=(1, 2)).mean() == pytest.approx(0.3, abs=0.07)


def test_random_erasing_leaves_noise_over_all_levels(seeds_of):
    images = tf.zeros([COUNT, 32, 32, 3], tf.uint8)
    erased, _ = RandomErasing(probability=1)(images, TARGETS, seeds_of(COUNT))

    noise = erased.numpy()[erased.numpy() > 0]

    assert noise.mean() == pytest.approx(128, abs=1)
    assert noise.std() == pytest.approx(73.6, abs=1)


def test_hide_and_seek_hides_half_of_the_patches(seeds_of):
    masks = hidden(HideAndSeek(patch_sizes=(8,)), seeds_of)

    patches = masks.reshape(COUNT, 5, 8, 5, 8).mean(axis=(2, 4))
    assert set(np.unique(patches)) == {0.0, 1.0}
    assert patches.mean() == pytest.approx(0.5, abs=0.02)


def test_hide_and_seek_draws_a_patch_size_for_each_image_and_0_hides_nothing(seeds_of):
    masks = hidden(HideAndSeek(patch_sizes=(0, 20), probability=1), seeds_of)

    assert set(masks.mean(axis=(1, 2))) == {0.0, 1.0}
    assert masks.mean() == pytest.approx(0.5, abs=0.08)


def test_grid_mask_hides_equal_squares_on_a_lattice(seeds_of):
    operation = GridMask(probability=1, min_period=0.25, max_period=0.25, ratio=0.6)

    masks = hidden(operation, seeds_of)

    # A period of 10 pixels with bars of 6: squares of 4 by 4.
    assert set(masks.sum(axis=(1, 2))) == {16 * 16}
    assert np.all(masks[:, :30] == masks[:, 10:])
    assert np.all(masks[:, :, :30] == masks[:, :, 10:])
    assert masks.mean() == pytest.approx((1 - 0.6) ** 2)
    assert len({bounds(mask)[:1] + bounds(mask)[2:3] for mask in masks}) > 30


def test_grid_masks_periods_lie_in_their_range(seeds_of):
    # Without bars from ratio 0, everything is hidden; with thin ones they can be counted.
    operation = GridMask(probability=1, min_period=0.2, max_period=0.4, ratio=0.01)
    masks = hidden(operation, seeds_of, size=(200, 200))

    for mask in masks:
        bars = np.flatnonzero(~mask.any(axis=1))
        periods = np.diff(bars)
        if len(periods) > 1 and periods.max() > 1:
            assert 40 <= periods.max() <= 80


def test_impossible_holes_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)size.*-1.*fill.*300"):
        Cutout(size=-1, fill=(0, 0, 300))
    with pytest.raises(ConfigError, match=r"min_area must be a number from 0\.0 to 0\.1, not 0\.2"):
        RandomErasing(min_area=0.2, max_area=0.1)
    with pytest.raises(ConfigError, match="fill must be three numbers"):
        RandomErasing(fill=(1, 2))
    with pytest.raises(ConfigError, match="patch_sizes must be a whole number"):
        HideAndSeek(patch_sizes=())
    with pytest.raises(ConfigError, match="min_period"):
        GridMask(min_period=2.0, max_period=1.0)


def test_random_erasing_may_show_one_colour(photos, seeds_of):
    images = tf.constant(photos)

    changed, _ = RandomErasing(probability=1, fill=(1, 2, 3))(images, TARGETS[:6], seeds_of(6))

    differs = np.any(changed.numpy() != photos, axis=-1)
    assert differs.any()
    assert np.all(changed.numpy()[differs] == [1, 2, 3])
