"""Layers of our own against their definitions, written out in NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.backbones.layers import (
    AdaptiveAveragePooling,
    ChannelShuffle,
    GroupedConv2D,
    HardSigmoid,
    ResidualSum,
)

MAPS = np.random.default_rng(0).normal(size=(2, 7, 9, 8)).astype(np.float32)


@pytest.mark.parametrize("options", [{"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}])
def test_grouped_convolutions_are_those_of_keras(options):
    ours, theirs = (
        kind(12, 3, groups=4, bias_initializer="normal", **options)
        for kind in (GroupedConv2D, keras.layers.Conv2D)
    )
    ours.build(MAPS.shape)
    theirs.build(MAPS.shape)
    theirs.set_weights(ours.get_weights())

    np.testing.assert_allclose(ours(MAPS), theirs(MAPS), atol=1e-5)


def test_gradients_of_a_grouped_convolution_are_those_of_its_groups():
    layer = GroupedConv2D(12, 3, groups=4, use_bias=False)
    layer.build(MAPS.shape)
    x, kernel = tf.constant(MAPS), layer.kernel.value

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        whole = tf.reduce_sum(layer(x) ** 2)
        groups = zip(tf.split(x, 4, axis=-1), tf.split(kernel, 4, axis=-1), strict=True)
        parts = tf.concat([tf.nn.conv2d(*group, 1, "VALID") for group in groups], axis=-1)
        split = tf.reduce_sum(parts**2)

    for source in (x, kernel):
        pairs = tape.gradient(whole, source), tape.gradient(split, source)
        np.testing.assert_allclose(*pairs, rtol=1e-4, atol=1e-4)


def test_channels_of_all_groups_come_in_turn():
    shuffled = ChannelShuffle(2)(np.arange(8.0).reshape(1, 1, 1, 8))

    np.testing.assert_array_equal(np.ravel(shuffled), [0, 4, 1, 5, 2, 6, 3, 7])


@pytest.mark.parametrize("size", [1, 3, 6, 12])
def test_adaptive_pooling_takes_the_means_of_pytorchs_windows(size):
    pooled = np.asarray(AdaptiveAveragePooling(size)(MAPS))

    for row in range(size):
        for column in range(size):
            rows, columns = (
                slice(length * i // size, math.ceil(length * (i + 1) / size))
                for length, i in ((7, row), (9, column))
            )
            wanted = MAPS[:, rows, columns].mean(axis=(1, 2))
            np.testing.assert_allclose(pooled[:, row, column], wanted, atol=1e-6)


def test_a_hard_sigmoid_is_a_clipped_line():
    gate = HardSigmoid(0.2, 0.5)(np.array([-10.0, -1.0, 0.0, 2.0, 10.0], np.float32))

    np.testing.assert_allclose(gate, [0, 0.3, 0.5, 0.9, 1])


@pytest.mark.parametrize(
    "layer",
    [
        AdaptiveAveragePooling(3),
        ChannelShuffle(2),
        GroupedConv2D(4, 3, groups=2),
        HardSigmoid(0.2, 0.5),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_every_layer_comes_back_from_its_configuration(layer):
    expected = np.asarray(layer(MAPS))

    twin = type(layer).from_config(layer.get_config())
    twin.build(MAPS.shape)
    twin.set_weights(layer.get_weights())

    np.testing.assert_array_equal(twin(MAPS), expected)
    assert layer.compute_output_shape(MAPS.shape) == expected.shape


SHORTCUT = np.zeros((4000, 2, 1, 3), np.float32)
BRANCH = np.ones_like(SHORTCUT)


def test_a_residual_sum_of_rate_0_is_the_plain_sum_and_holds_nothing():
    layer = ResidualSum()

    np.testing.assert_array_equal(layer([MAPS, 2 * MAPS], training=True), MAPS + 2 * MAPS)
    assert layer.variables == []


def test_outside_of_training_no_branch_is_dropped():
    np.testing.assert_array_equal(ResidualSum(0.9)([MAPS, 2 * MAPS]), MAPS + 2 * MAPS)


def test_in_training_single_images_lose_their_whole_branch_and_the_mean_stays():
    keras.utils.set_random_seed(0)

    summed = np.asarray(ResidualSum(0.25)([SHORTCUT, BRANCH], training=True))

    by_image = summed.reshape(len(summed), -1)
    np.testing.assert_array_equal(by_image, by_image[:, :1] * np.ones((1, 6)))
    np.testing.assert_allclose(np.unique(summed), [0, 1 / 0.75], rtol=1e-6)
    # Five standard deviations of 4,000 draws.
    assert summed.mean() == pytest.approx(1, abs=5 * math.sqrt(0.25 / 0.75 / 4000))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_residual_sums_compute_in_the_policys_type(policy):
    summed = ResidualSum(0.5, dtype=policy)([SHORTCUT, BRANCH], training=True)

    assert keras.backend.standardize_dtype(summed.dtype) == policy.removeprefix("mixed_")
    assert set(np.unique(np.asarray(summed, np.float32))) == {0.0, 2.0}
