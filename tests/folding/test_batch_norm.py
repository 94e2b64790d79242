import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.folding.batch_norm import fused_batch_norm, is_fusable


def made(images, **settings):
    layer = keras.layers.BatchNormalization(
        gamma_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=1),
        beta_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=2),
        moving_mean_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=3),
        moving_variance_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=4),
        **settings,
    )
    layer.build(images.shape)
    return layer


def drawn(shape, dtype="float32"):
    return tf.cast(3 + 2 * tf.random.stateless_normal(shape, (0, 1)), dtype)


def outputs_and_gradients(call, layer, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = call(images)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
    weights = [variable.value for variable in layer.trainable_weights]
    return [outputs, *tape.gradient(loss, [images, *weights]), *layer.variables]


@pytest.mark.parametrize("shape", [(4, 7, 5, 6), (1, 1, 2, 3), (1, 1, 1, 3)])
@pytest.mark.parametrize(
    "settings", [{}, {"scale": False}, {"center": False}, {"momentum": 0.9, "epsilon": 1e-5}]
)
def test_outputs_gradients_and_statistics_are_those_of_keras(shape, settings):
    images = drawn(shape)
    plain, fused = made(images, **settings), made(images, **settings)

    expected = outputs_and_gradients(lambda x: plain(x, training=True), plain, images)
    found = outputs_and_gradients(lambda x: fused_batch_norm(fused, x), fused, images)

    for one, other in zip(expected, found, strict=True):
        scale = 1e-4 * max(1.0, float(np.abs(one).max()))
        np.testing.assert_allclose(np.array(other), np.array(one), rtol=1e-4, atol=scale)


@pytest.mark.parametrize(("half", "digits"), [("bfloat16", 0.02), ("float16", 0.005)])
def test_in_half_precision_gradients_are_those_of_keras_and_statistics_float32(half, digits):
    images = drawn((4, 7, 5, 6), half)
    plain = made(images, dtype=f"mixed_{half}")
    fused = made(images, dtype=f"mixed_{half}")

    expected = outputs_and_gradients(lambda x: plain(x, training=True), plain, images)
    found = outputs_and_gradients(lambda x: fused_batch_norm(fused, x), fused, images)

    assert found[0].dtype == half
    for one, other in zip(expected, found, strict=True):
        one, other = np.array(one, np.float32), np.array(other, np.float32)
        np.testing.assert_allclose(other, one, atol=digits * max(1.0, np.abs(one).max()))
    np.testing.assert_allclose(fused.moving_mean, plain.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_variance, plain.moving_variance, rtol=1e-5)


@pytest.mark.parametrize("settings", [{"synchronized": True}, {"axis": 1}, {"trainable": False}])
def test_what_the_kernel_does_not_compute_is_left_to_keras(settings):
    images = drawn((2, 4, 4, 4))

    assert is_fusable(made(images))
    assert not is_fusable(made(images, **settings))


def test_vectors_are_left_to_keras():
    assert not is_fusable(made(drawn((8, 4))))
