import colorsys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from hubcls.errors import ConfigError
from hubcls.images.operations import jittering
from hubcls.images.operations.jittering import ColorJitter, Rotation, rotated

NONE = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
TARGETS = tf.zeros([6, 1])


@pytest.fixture
def strongest(monkeypatch):
    """Every draw at the upper end of its range."""
    monkeypatch.setattr(jittering, "uniform", lambda seeds, count: tf.ones([len(seeds), count]))


def jittered(images, seeds, **settings):
    changed, _ = ColorJitter(**{**NONE, **settings})(tf.constant(images), TARGETS, seeds)
    return changed.numpy()


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_each_factor_is_pillows_within_a_level(photos, seeds_of, strongest, name, enhancer):
    expected = [np.asarray(enhancer(Image.fromarray(image)).enhance(1.4)) for image in photos]

    found = jittered(photos, seeds_of(6), **{name: 0.4})

    assert np.abs(found.astype(int) - expected).max() <= 1


def test_hue_turns_a_red_to_where_hsv_has_it(seeds_of, strongest):
    red = np.full((6, 2, 2, 3), (180, 60, 60), np.uint8)

    found = jittered(red, seeds_of(6), hue=0.1)[0, 0, 0] / 255

    hue, _, _ = colorsys.rgb_to_hsv(*found)
    assert hue == pytest.approx(0.1, abs=0.03)
    assert found @ [0.299, 0.587, 0.114] == pytest.approx(0.3765, abs=0.01)


def test_hue_leaves_grey_alone(seeds_of):
    grey = np.full((6, 2, 2, 3), 99, np.uint8)

    assert np.array_equal(jittered(grey, seeds_of(6), hue=0.5), grey)


def test_factors_lie_in_their_ranges(seeds_of):
    grey = np.full((2000, 1, 1, 3), 100.0, np.float32)

    changed, _ = ColorJitter(**{**NONE, "brightness": 0.4})(grey, grey[:, 0, 0], seeds_of(2000))

    factors = changed.numpy()[:, 0, 0, 0] / 100
    assert 0.6 <= factors.min() < 0.62
    assert 1.38 < factors.max() <= 1.4
    assert factors.mean() == pytest.approx(1, abs=0.02)


def test_rotation_is_pillows_bilinear_one_away_from_the_corners(photos):
    expected = np.stack(
        [np.asarray(Image.fromarray(i).rotate(25, Image.Resampling.BILINEAR)) for i in photos]
    )

    found = rotated(tf.constant(photos), tf.fill([6], np.radians(25.0).astype(np.float32)))

    inner = (slice(None), slice(30, 66), slice(40, 88))
    assert np.abs(found.numpy().astype(int) - expected)[inner].max() <= 1


def test_corners_are_filled_by_reflection(seeds_of):
    white = tf.fill([6, 20, 20, 3], 255.0)

    turned, _ = Rotation(degrees=45)(white, TARGETS, seeds_of(6))

    np.testing.assert_allclose(turned, 255, atol=1e-3)


def test_angles_lie_in_their_range(seeds_of, monkeypatch):
    angles = []

    def record(images, radians):
        angles.extend(np.degrees(radians.numpy()))
        return images

    monkeypatch.setattr(jittering, "rotated", record)

    Rotation(degrees=15)(tf.zeros([2000, 1, 1, 3]), TARGETS, seeds_of(2000))

    assert -15 <= min(angles) < -14.8
    assert 14.8 < max(angles) <= 15
    assert np.mean(angles) == pytest.approx(0, abs=0.7)


def test_impossible_numbers_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)brightness.*1\.5.*hue.*0\.7"):
        ColorJitter(brightness=1.5, hue=0.7)
    with pytest.raises(ConfigError, match=r"degrees must be a number .* not True"):
        Rotation(degrees=True)
