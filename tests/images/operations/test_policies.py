import numpy as np
import pytest
import tensorflow as tf

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.images.operations import levels, policies
from hubcls.images.operations.autoaugment import POLICIES, find_policy
from hubcls.images.operations.choosing import NAMES, Range, apply_chosen, parameters
from hubcls.images.operations.policies import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from hubcls.images.operations.warping import WARPS, warp

TARGETS = tf.zeros([6, 2])


def chosen_of(monkeypatch, operation, count=4000, size=(4, 4)):
    """What `operation` chose for `count` images: codes and parameters of each step."""
    steps = []

    def record(images, codes, values):
        steps.append((codes.numpy(), values.numpy()))
        return images

    monkeypatch.setattr(policies, "apply_chosen", record)
    seeds = tf.stack([tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64)], axis=1)
    operation(tf.zeros([count, *size, 3], tf.uint8), tf.zeros([count, 1]), seeds)
    return steps


def by_name(step):
    codes, values = step
    return {name: values[codes == code] for code, name in enumerate(NAMES) if code in codes}


def distinct(values):
    return sorted({round(float(value), 4) for value in values})


def test_each_image_gets_the_operation_that_it_chose(photos):
    names = ["equalize", "identity", "shear_x", "solarize", "color", "rotate"]
    values = [0.0, 0.0, 0.2, 100.0, 1.5, 20.0]
    codes = [NAMES.index(name) for name in names]

    found = apply_chosen(tf.constant(photos), tf.constant(codes), tf.constant(values)).numpy()

    for row, (name, value) in enumerate(zip(names, values, strict=True)):
        image, number = tf.constant(photos[row : row + 1]), tf.constant([value])
        if name == "identity":
            expected = image
        elif name in WARPS:
            expected = warp(image, tf.constant([WARPS.index(name)]), number)
        else:
            expected = getattr(levels, name)(image, number)
        assert np.array_equal(found[row], expected[0]), name


def test_half_of_the_signed_parameters_are_negative():
    codes = tf.constant([0, 0, 0, NAMES.index("posterize")])
    ranges = {"shear_x": Range(0, 0.3, is_signed=True), "posterize": Range(8, 4)}

    found = parameters(ranges, codes, tf.constant([1, 0.5, 1, 0.5]), tf.constant([0.4, 0.6, 0, 0]))

    np.testing.assert_allclose(found, [-0.3, 0.15, -0.3, 6], rtol=1e-6)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_has_25_sub_policies_of_two_operations(name):
    policy = find_policy(name)

    assert policy.codes.shape == policy.probabilities.shape == policy.strengths.shape == (25, 2)
    assert 0 <= policy.probabilities.min() <= policy.probabilities.max() <= 1
    assert 0 <= policy.strengths.min() <= policy.strengths.max() <= 1


def test_a_policys_magnitudes_become_the_papers_parameters(monkeypatch):
    first, second = map(by_name, chosen_of(monkeypatch, AutoAugment()))

    # Of ImageNet's policy: "posterize 0.4 8, rotate 0.6 9" and others.
    assert distinct(np.abs(second["rotate"])) == [26.6667, 30.0]
    assert distinct(first["posterize"]) == [4.4444, 4.8889, 5.7778]
    assert distinct(first["color"]) == [0.1, 0.9, 1.7]


def test_sub_operations_happen_as_often_as_the_policy_says(monkeypatch):
    policy = find_policy("imagenet")

    steps = chosen_of(monkeypatch, AutoAugment(), count=20_000)

    for step, (codes, _) in enumerate(steps):
        happens = np.mean(codes != NAMES.index("identity"))
        assert happens == pytest.approx(policy.probabilities[:, step].mean(), abs=0.02)


def test_rand_augment_draws_14_operations_alike_at_one_strength(monkeypatch):
    steps = chosen_of(monkeypatch, RandAugment(magnitude=5, num_operations=3))

    assert len(steps) == 3
    for step in map(by_name, steps):
        assert len(step) == 14
        assert "invert" not in step
        counts = [len(values) for values in step.values()]
        assert 200 < min(counts) <= max(counts) < 370
        assert distinct(np.abs(step["rotate"])) == [15.0]
        assert distinct(step["solarize"]) == [128.0]
        assert distinct(step["sharpness"]) == [1.0]
        np.testing.assert_allclose(np.abs(step["translate_x"]), 75 / 331, rtol=1e-6)
    assert np.any(steps[0][0] != steps[1][0])


def test_trivial_augment_draws_31_strengths_over_the_wide_ranges(monkeypatch):
    (step,) = chosen_of(monkeypatch, TrivialAugmentWide(), count=20_000, size=(64, 128))
    step = by_name(step)

    assert len(step) == 14
    assert len(np.unique(np.abs(step["rotate"]))) == 31
    ends = {
        "rotate": (-135, 135),
        "shear_x": (-0.99, 0.99),
        "translate_x": (-32 / 128, 32 / 128),
        "translate_y": (-32 / 64, 32 / 64),
        "posterize": (2, 8),
        "solarize": (0, 256),
        "color": (0.01, 2.0),
    }
    for name, (low, high) in ends.items():
        np.testing.assert_allclose([step[name].min(), step[name].max()], [low, high], rtol=1e-5)


def test_aug_mix_runs_chains_of_one_to_three_operations_up_to_its_severity(monkeypatch):
    steps = chosen_of(monkeypatch, AugMix(severity=3, width=2))

    assert len(steps) == 6
    is_done = np.array([codes != NAMES.index("identity") for codes, _ in steps[:3]])
    lengths = np.bincount(is_done.sum(axis=0), minlength=4) / is_done.shape[1]
    np.testing.assert_allclose(lengths, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)
    first = by_name(steps[0])
    assert len(first) == 9
    assert not {"color", "contrast", "brightness", "sharpness", "invert"} & set(first)
    assert 0.3 <= np.abs(first["rotate"]).min() < 0.6
    assert 8.5 < np.abs(first["rotate"]).max() <= 9


def test_aug_mix_is_a_convex_mixture(monkeypatch):
    monkeypatch.setattr(policies, "apply_chosen", lambda images, *_: images)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3)), tf.float32)
    seeds = tf.constant([[0, row] for row in range(6)])

    mixed, _ = AugMix()(images, TARGETS, seeds)

    # Chains that change nothing: whatever the weights, their sum is one.
    np.testing.assert_allclose(mixed, images, atol=1e-3)


def test_more_magnitude_changes_more(photos, seeds_of):
    images = tf.constant(photos)

    def change(magnitude):
        moved, _ = RandAugment(magnitude=magnitude)(images, TARGETS, seeds_of(6))
        return np.abs(moved.numpy().astype(int) - photos).mean()

    assert change(30) > change(10)


def test_impossible_policies_are_refused():
    with pytest.raises(UnknownNameError, match="imagenet"):
        AutoAugment(policy="imagnet")
    with pytest.raises(ConfigError, match=r"(?s)magnitude.*31.*num_operations.*0"):
        RandAugment(magnitude=31, num_operations=0)
    with pytest.raises(ConfigError, match="severity"):
        AugMix(severity=0)
