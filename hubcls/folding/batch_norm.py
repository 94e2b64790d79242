"""A BatchNorm in training mode in one kernel, forward and backward."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def is_fusable(layer: Any) -> bool:
    """Whether `fused_batch_norm` computes what a layer does in training."""
    return (
        isinstance(layer, keras.layers.BatchNormalization)
        and type(layer).call is keras.layers.BatchNormalization.call
        and layer.trainable
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.activity_regularizer is None
        and layer.compute_dtype in ("float32", "bfloat16", "float16")
    )


def fused_batch_norm(layer: keras.layers.BatchNormalization, images: tf.Tensor) -> tf.Tensor:
    """What a fusable layer makes of a batch in training; its moving statistics follow.

    Keras computes moments, differences and products one after the other, each a pass over
    memory (keras 3.15); TensorFlow has a kernel for all of it and one for its gradient.

    Args:
        layer: fusable, built.
        images: [B, H, W, C].

    Returns:
        [B, H, W, C] in the layer's precision. Statistics are computed in float32.
    """
    images = tf.cast(images, layer.compute_dtype)
    ones = tf.ones(images.shape[-1:])
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=layer.gamma.value if layer.scale else ones,
        offset=layer.beta.value if layer.center else 0 * ones,
        mean=tf.zeros([0]),
        variance=tf.zeros([0]),
        epsilon=layer.epsilon,
    )
    # The kernel tells the variance of a sample (divided by n - 1), Keras keeps that of the batch.
    count = tf.cast(tf.reduce_prod(tf.shape(images)[:3]), tf.float32)
    variance *= tf.maximum(count - 1.0, 1.0) / count
    for kept, seen in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        kept.assign(kept.value * layer.momentum + seen * (1.0 - layer.momentum))
    return outputs
