import numpy as np
import pytest
import tensorflow as tf
import yaml
from sklearn.datasets import load_sample_image

from hubcls.errors import ConfigError
from hubcls.images.augmenting import (
    Augmentation,
    augment,
    draws,
    load_augmented,
    operated,
    random_window,
)
from hubcls.images.decoding import read_with_pillow
from hubcls.images.operations import ColorJitter, CutMix, Mixup, RandAugment
from hubcls.images.resizing import resize
from hubcls.preprocessing import Preprocessing

SQUARE = Preprocessing(32, 32)


def windows(size, preprocessing, augmentation, *, count=300):
    """`count` random windows, int [count, 4]: top, left, height, width."""
    found = tf.data.Dataset.from_tensor_slices(draws([[k, 1] for k in range(count)])).map(
        lambda drawn: random_window(
            tf.constant(size), preprocessing=preprocessing, augmentation=augmentation, drawn=drawn
        )
    )
    return np.array(list(found.as_numpy_iterator()))


def drawn_from(*seed):
    return draws([seed])[0]


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others(picture):
    first, again, other = (
        augment(tf.constant(picture), SQUARE, augmentation=Augmentation(), drawn=drawn_from(*seed))
        for seed in ([1, 2], [1, 2], [1, 3])
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_windows_lie_inside_the_picture():
    for size in ((1, 1), (3, 500), (500, 3), (40, 56)):
        top, left, height, width = windows(size, SQUARE, Augmentation()).T

        assert min(top.min(), left.min()) >= 0
        assert min(height.min(), width.min()) >= 1
        assert (top + height).max() <= size[0]
        assert (left + width).max() <= size[1]


def test_windows_keep_the_stated_share_of_the_area():
    _, _, height, width = windows((200, 200), SQUARE, Augmentation(min_area=0.5)).T

    share = height * width / 200**2

    assert share.min() >= 0.49
    assert share.min() < 0.55
    assert share.max() > 0.9


def test_windows_have_aspect_ratios_around_the_inputs():
    wide = Preprocessing(32, 64)

    _, _, height, width = windows((300, 600), wide, Augmentation()).T

    aspect = width / height / 2
    assert 0.74 <= aspect.min() < 0.8
    assert 1.25 < aspect.max() <= 1.35


def test_where_the_module_stretches_windows_have_aspect_ratios_around_the_pictures():
    stretching = Preprocessing(32, 32, resize="stretch")

    _, _, height, width = windows((100, 400), stretching, Augmentation()).T

    aspect = width / height / 4
    assert 0.72 <= aspect.min() < 0.8
    assert 1.25 < aspect.max() <= 1.38


def test_windows_reach_every_corner():
    top, left, height, width = windows((50, 50), SQUARE, Augmentation(min_area=0.5)).T

    assert top.min() == left.min() == 0
    assert (top + height).max() == (left + width).max() == 50


def test_a_picture_too_narrow_for_any_window_gives_its_middle():
    _, left, height, width = windows((10, 400), SQUARE, Augmentation(min_area=0.9), count=20).T

    assert set(height) == set(width) == {10}
    assert set(left) == {195}


def test_without_random_crop_the_image_is_resized_as_in_evaluation(picture):
    flips_only = Augmentation(min_area=1.0)
    expected = resize(tf.constant(picture), SQUARE).numpy()

    found = [
        augment(
            tf.constant(picture), SQUARE, augmentation=flips_only, drawn=drawn_from(0, k)
        ).numpy()
        for k in range(20)
    ]

    mirrored = [np.array_equal(image, expected[:, ::-1]) for image in found]
    straight = [np.array_equal(image, expected) for image in found]
    assert all(np.logical_xor(mirrored, straight))
    assert 4 <= sum(mirrored) <= 16


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_crops_are_resampled_as_the_augmentation_says(picture, interpolation):
    options = {"drawn": drawn_from(0, 0), "augmentation": Augmentation(interpolation=interpolation)}
    other = {"bilinear": "bicubic", "bicubic": "bilinear"}[interpolation]
    window = random_window(tf.shape(picture)[:2], preprocessing=SQUARE, **options)
    top, left, height, width = window.numpy()
    expected = tf.image.resize(
        picture[top : top + height, left : left + width], (32, 32), interpolation
    )

    found = augment(tf.constant(picture), SQUARE.replaced(interpolation=other), **options)

    # Mirrored or not, by the draw.
    nearest = np.clip(np.rint(expected), 0, 255).astype(np.uint8)
    assert any(np.array_equal(found, image) for image in (nearest, nearest[:, ::-1]))


def test_without_flip_no_image_is_mirrored():
    ramp = np.zeros((40, 40, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, np.newaxis]
    crops_only = Augmentation(horizontal_flip=False)

    for k in range(20):
        found = augment(tf.constant(ramp), SQUARE, augmentation=crops_only, drawn=drawn_from(0, k))

        assert found[0, 0, 0] < found[0, -1, 0]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_an_augmented_file_equals_its_augmented_picture(saved, name, rule, interpolation):
    noisy = np.random.default_rng(0).integers(0, 256, (70, 111, 3), np.uint8)
    path = saved(noisy, name)
    preprocessing = Preprocessing(48, 48, resize=rule)
    whole = tf.constant(read_with_pillow(path))

    for k in range(3):
        changes = Augmentation(interpolation=interpolation)
        options = {"augmentation": changes, "drawn": drawn_from(k, 5)}
        loaded = load_augmented(
            tf.constant(path), name == "a.webp", preprocessing=preprocessing, **options
        )

        assert np.array_equal(loaded, augment(whole, preprocessing, **options))


def test_a_jpeg_that_is_decoded_small_is_augmented_nearly_as_its_picture(saved):
    path = saved(load_sample_image("china.jpg"), "a.jpg", quality=92)
    whole = tf.constant(read_with_pillow(path))

    for side in (150, 60, 24):
        preprocessing = Preprocessing(side, side)
        for k in range(3):
            options = {"augmentation": Augmentation(), "drawn": drawn_from(k, side)}
            loaded = load_augmented(
                tf.constant(path), False, preprocessing=preprocessing, **options
            ).numpy()

            expected = augment(whole, preprocessing, **options).numpy()
            assert np.abs(loaded.astype(int) - expected).mean() < 6


def test_a_letterboxing_module_trains_on_crops_without_bars():
    white = tf.constant(np.full((40, 20, 3), 255, np.uint8))
    letterbox = Preprocessing(20, 20, resize="letterbox")

    found = augment(white, letterbox, augmentation=Augmentation(), drawn=drawn_from(0, 0))

    assert np.all(found.numpy() == 255)


def test_wrong_ranges_are_listed_together():
    with pytest.raises(ConfigError, match=r"(?s)min_area.*1\.5.*max_aspect.*0\.1"):
        Augmentation(min_area=1.5, max_aspect=0.1)


def test_plain_values_make_the_same_augmentation_again():
    augmentation = Augmentation(
        horizontal_flip=False, min_area=0.5, operations=(RandAugment(magnitude=5), Mixup())
    )

    values = yaml.safe_load(yaml.safe_dump(augmentation.as_dict()))

    assert values["operations"][0] == {
        "name": "rand_augment",
        "magnitude": 5,
        "num_operations": 2,
    }
    assert Augmentation(**values) == augmentation


def test_every_unknown_operation_and_argument_lists_the_nearest():
    with pytest.raises(ConfigError) as raised:
        Augmentation(operations=["mixupp", {"name": "rand_augment", "magnitud": 3}])

    for name in ("mixupp", "Nearest names: mixup", "magnitud", "Nearest names: magnitude"):
        assert name in str(raised.value)


def test_operations_may_be_named():
    named = Augmentation(operations=("cutmix", {"name": "rand_augment", "magnitude": 3}))

    assert named == Augmentation(operations=(CutMix(), RandAugment(magnitude=3)))


def test_operations_must_be_operations():
    with pytest.raises(ConfigError, match="not 5"):
        Augmentation(operations=(5,))


def test_only_mixing_operations_mix_targets():
    assert Augmentation(operations=(RandAugment(), CutMix())).mixes_targets
    assert not Augmentation(operations=(RandAugment(),)).mixes_targets


def test_operations_follow_one_another_with_chance_of_their_own():
    images = tf.fill([200, 2, 2, 3], 100.0)
    seeds = tf.constant([[0, row] for row in range(200)], tf.int64)
    brighter = ColorJitter(brightness=0.5, contrast=0, saturation=0, hue=0)

    once, _ = operated([brighter], images, tf.zeros([200, 1]), seeds)
    twice, _ = operated([brighter, brighter], images, tf.zeros([200, 1]), seeds)

    first, both = once.numpy()[:, 0, 0, 0] / 100, twice.numpy()[:, 0, 0, 0] / 100
    assert abs(np.corrcoef(first, both / first)[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interpolation": "area"}, "interpolation must be bilinear or bicubic, not 'area'"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1"),
        ({"repeats": 2, "horizontal_flip": False, "min_area": 1.0}, "copies that are alike"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Augmentation(**settings)
