import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from hubcls.errors import ConfigError
from hubcls.images.operations.chance import uniform
from hubcls.images.operations.mixing import CutMix, Mixup, symmetric_beta

COUNT = 2000


@pytest.fixture(scope="module")
def greys():
    """COUNT images, each of one grey, and one-hot targets of two classes in turn."""
    levels = np.linspace(0, 255, COUNT, dtype=np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (COUNT, 8, 12, 3))
    return tf.constant(images), tf.one_hot(np.arange(COUNT) % 2, 2)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 20.0])
def test_shares_follow_the_beta_distribution(seeds_of, alpha):
    shares = symmetric_beta(uniform(seeds_of(20_000), 2), alpha).numpy()

    assert 0 <= shares.min() <= shares.max() <= 1
    # Not a whole Kolmogorov-Smirnov test: small alphas heap up shares that float32 calls 1.
    points = np.linspace(0.001, 0.999, 500)
    found = np.searchsorted(np.sort(shares), points) / len(shares)
    assert np.abs(found - stats.beta(alpha, alpha).cdf(points)).max() < 1.95 / len(shares) ** 0.5


def test_mixup_mixes_images_and_targets_in_the_same_proportion(greys, seeds_of):
    images, targets = greys

    mixed, blended = Mixup(alpha=1.0)(images, targets, seeds_of(COUNT))

    own, other = images.numpy()[:-1, 0, 0, 0], images.numpy()[1:, 0, 0, 0]
    kept = (mixed.numpy()[:-1, 0, 0, 0] - other) / (own - other)
    of_class = blended.numpy()[np.arange(COUNT - 1), np.arange(COUNT - 1) % 2]
    np.testing.assert_allclose(of_class, kept, atol=2e-3)
    assert stats.kstest(of_class, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("operation", [Mixup(), CutMix()])
def test_the_last_image_is_mixed_with_the_first(operation, seeds_of):
    targets = tf.eye(5)
    images = tf.random.stateless_uniform([5, 6, 6, 3], [0, 0]) * 255

    _, blended = operation(images, targets, seeds_of(5))

    outside = np.eye(5) + np.roll(np.eye(5), 1, axis=1) == 0
    assert np.all(blended.numpy()[outside] == 0)
    assert blended[4, 0] > 0


@pytest.mark.parametrize("operation", [Mixup(alpha=0.4), CutMix()])
def test_rows_of_targets_keep_their_sum(operation, greys, seeds_of):
    _, blended = operation(*greys, seeds_of(COUNT))

    np.testing.assert_allclose(blended.numpy().sum(axis=1), 1, atol=1e-6)
    assert blended.numpy().min() >= 0


@pytest.mark.parametrize("operation", [Mixup(alpha=1.0), CutMix()])
def test_targets_of_several_labels_are_mixed_in_proportion_too(operation, seeds_of):
    images = tf.random.stateless_uniform([64, 8, 8, 3], [0, 0]) * 255
    several = tf.constant([[1.0, 1, 0, 0], [0, 1, 0, 1]] * 32)
    single = tf.constant([[1.0, 0], [0, 1]] * 32)

    _, of_several = operation(images, several, seeds_of(64))
    _, of_single = operation(images, single, seeds_of(64))

    # What both have stays 1; the rest follows the shares of the two.
    np.testing.assert_allclose(of_several[:, 1], 1, atol=1e-6)
    np.testing.assert_allclose(of_several[:, 0], of_single[:, 0], atol=1e-6)
    np.testing.assert_allclose(of_several[:, 3], of_single[:, 1], atol=1e-6)


def test_cutmix_pastes_one_box_and_counts_its_area(greys, seeds_of):
    images, targets = greys

    mixed, blended = CutMix()(images, targets, seeds_of(COUNT))

    for row in range(0, COUNT - 1, 7):
        is_pasted = mixed.numpy()[row, :, :, 0] != images.numpy()[row, 0, 0, 0]
        rows, columns = is_pasted.any(axis=1).sum(), is_pasted.any(axis=0).sum()
        assert is_pasted.sum() == rows * columns
        assert np.all(mixed.numpy()[row][is_pasted] == images.numpy()[row + 1, 0, 0])
        assert blended.numpy()[row, row % 2] == pytest.approx(1 - is_pasted.mean(), abs=1e-6)


def test_cutmix_boxes_are_as_large_as_the_paper_says(seeds_of):
    images = tf.one_hot(np.arange(COUNT) % 2, 2)[:, None, None, :1] * tf.ones([1, 64, 64, 3])

    mixed, _ = CutMix()(images, tf.zeros([COUNT, 1]), seeds_of(COUNT))

    changed = np.any(mixed.numpy() != images.numpy(), axis=-1)
    sides = changed.any(axis=2).sum(axis=1) / 64
    # Unclipped, a side is the root of a uniform number: mean 2/3. Where the centre is uniform
    # and the border cuts, side s keeps s - s²/4 on average: mean 2/3 - 1/8.
    assert sides.mean() == pytest.approx(2 / 3 - 1 / 8, abs=0.02)


@pytest.mark.parametrize("operation", [Mixup(probability=0.25), CutMix(probability=0.25)])
def test_probability_is_the_share_of_mixed_images(operation, greys, seeds_of):
    _, blended = operation(*greys, seeds_of(COUNT))

    mixed = blended.numpy().max(axis=1) < 1 - 1e-4
    # Shares near 0 and 1 leave some of them as good as unmixed.
    assert 0.1 < mixed.mean() < 0.28


@pytest.mark.parametrize("operation", [Mixup(), CutMix()])
def test_a_batch_of_one_stays_as_it_is(operation, photos, seeds_of):
    image, target = tf.constant(photos[:1]), tf.constant([[0.0, 1.0]])

    mixed, blended = operation(image, target, seeds_of(1))

    assert np.array_equal(mixed, image)
    np.testing.assert_allclose(blended, target)


def test_impossible_numbers_are_refused():
    with pytest.raises(ConfigError, match=r"(?s)alpha.*0.*probability.*2"):
        Mixup(alpha=0, probability=2)
    with pytest.raises(ConfigError, match="alpha must be a number"):
        CutMix(alpha="1")
