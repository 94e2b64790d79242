"""Between dtypes, and Pillow's pixel operations on whole batches.

Each operation here takes uint8 [n, H, W, 3] and a parameter an image, float32 [n], and
gives what Pillow 13 gives for each image, bit for bit; n may be 0. They stand for
`PIL.ImageOps` and `PIL.ImageEnhance`, where the papers' policies took theirs from.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from hubcls.images.rounding import nearest_levels

_GREY = np.array([[19595], [38470], [7471]], np.float32)  # of 65536: ITU-R 601-2 luma
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def as_levels(images: tf.Tensor) -> tf.Tensor:
    """Images as uint8; other dtypes are rounded and clipped."""
    if images.dtype == tf.uint8:
        return images
    return tf.cast(tf.clip_by_value(tf.round(images), 0, 255), tf.uint8)


def rounded_to(images: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """float32 images clipped to 0–255, as float32 or rounded to uint8."""
    return nearest_levels(images) if dtype == tf.uint8 else tf.clip_by_value(images, 0, 255)


def each(parameters: tf.Tensor) -> tf.Tensor:
    """A number an image, [n] → [n, 1, 1, 1], ready to meet pixels."""
    return tf.reshape(parameters, [-1, 1, 1, 1])


def grey(images: tf.Tensor) -> tf.Tensor:
    """Brightness as Pillow's mode "L" has it, float32 [n, H, W, 1], whole numbers.

    Args:
        images: float32 [n, H, W, 3], whole numbers 0–255.
    """
    # No sum reaches 2**24, so float32 is exact.
    return tf.floor((tf.tensordot(images, tf.constant(_GREY), 1) + 32768) / 65536)


def brightness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Darker below 1, brighter above."""
    return _extrapolated(tf.zeros([]), tf.cast(images, tf.float32), factors)


def color(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Greyer below 1, more colourful above."""
    pixels = tf.cast(images, tf.float32)
    return _extrapolated(grey(pixels), pixels, factors)


def contrast(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Closer to the picture's mean grey below 1, further from it above."""
    pixels = tf.cast(images, tf.float32)
    mean = tf.reduce_mean(tf.cast(grey(pixels), tf.float64), axis=[1, 2, 3], keepdims=True)
    return _extrapolated(tf.cast(tf.floor(mean + 0.5), tf.float32), pixels, factors)


def sharpness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Smoother below 1, sharper above; the outermost pixels stay as they are."""
    if min(images.shape[1:3]) < 3:
        return images
    pixels = tf.cast(images, tf.float32)
    kernel = tf.constant(np.repeat(_SMOOTH[:, :, None, None], 3, axis=2))
    # Not "VALID": of a batch of no images TensorFlow 2.21 then gives a wrong shape.
    smooth = tf.nn.depthwise_conv2d(pixels, kernel, [1, 1, 1, 1], "SAME")
    inner = _extrapolated(tf.round(smooth), pixels, factors)[:, 1:-1, 1:-1]
    rows = tf.concat([images[:, 1:-1, :1], inner, images[:, 1:-1, -1:]], axis=2)
    return tf.concat([images[:, :1], rows, images[:, -1:]], axis=1)


def invert(images: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    """The negative."""
    return tf.bitwise.invert(images)


def posterize(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Only the highest `bits` of each level are kept; they are rounded to 1 … 8."""
    dropped = tf.cast(8 - tf.clip_by_value(tf.round(bits), 1, 8), tf.uint8)
    kept = tf.bitwise.left_shift(tf.constant(255, tf.uint8), dropped)
    return tf.bitwise.bitwise_and(images, each(kept))


def solarize(images: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Levels at or above the threshold are inverted; from 256 on, none."""
    # Compared as whole numbers: a level is at or above 100.5 when it is at or above 101.
    least = tf.cast(tf.math.ceil(tf.clip_by_value(thresholds, 0, 256)), tf.int16)
    is_inverted = tf.cast(images, tf.int16) >= each(least)
    return tf.bitwise.bitwise_xor(images, tf.cast(is_inverted, tf.uint8) * 255)


def autocontrast(images: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    """Each channel stretched over 0–255; a channel of one level stays."""
    height, width = images.shape[1:3]
    by_channel = tf.reshape(images, [-1, height * width, 3])
    lowest, highest = (
        tf.cast(reduce(by_channel, axis=1), tf.float64) for reduce in (tf.reduce_min, tf.reduce_max)
    )
    # Pillow computes in float64 and cuts decimals off; so do we, in the same order.
    is_flat = highest <= lowest
    scale = tf.where(is_flat, tf.ones_like(lowest), 255 / tf.maximum(highest - lowest, 1))
    offset = tf.where(is_flat, tf.zeros_like(lowest), -lowest * scale)
    # Three numbers against pixels take longer than a whole row of them.
    scale, offset = (tf.tile(three, [1, width])[:, tf.newaxis] for three in (scale, offset))
    rows = tf.cast(tf.reshape(images, [-1, height, width * 3]), tf.float64)
    return tf.reshape(tf.cast(rows * scale + offset, tf.uint8), tf.shape(images))


def equalize(images: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    """Each channel's levels spread so that their histogram is nearly flat."""
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    # Each channel of each image has 256 bins of its own.
    first = tf.range(count)[:, tf.newaxis] * 3 + tf.range(3)
    first = tf.tile(first * 256, [1, width])[:, tf.newaxis]
    places = tf.cast(tf.reshape(images, [-1, height, width * 3]), tf.int32) + first
    histograms = tf.raw_ops.Bincount(
        arr=tf.reshape(places, [-1]), size=count * 768, weights=tf.constant([], tf.int32)
    )
    lookup = tf.reshape(_equalizing(tf.reshape(histograms, [-1, 256])), [-1])
    # On single bytes gather_nd takes two thirds of the time of gather.
    return tf.reshape(tf.gather_nd(lookup, places[..., tf.newaxis]), tf.shape(images))


def _equalizing(histograms: tf.Tensor) -> tf.Tensor:
    """New levels, uint8 [rows, 256], from histograms, int32 [rows, 256]."""
    levels = tf.range(256)
    highest = tf.reduce_max(tf.where(histograms > 0, levels, 0), axis=1, keepdims=True)
    at_highest = tf.gather(histograms, highest, batch_dims=1)
    step = (tf.reduce_sum(histograms, axis=1, keepdims=True) - at_highest) // 255
    below = tf.cumsum(histograms, axis=1, exclusive=True)
    spread = (step // 2 + below) // tf.maximum(step, 1)
    return tf.cast(tf.minimum(tf.where(step > 0, spread, levels), 255), tf.uint8)


def _extrapolated(start: tf.Tensor, pixels: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """From `start` at factor 0 through `pixels` at 1; decimals are cut off, as in Pillow."""
    moved = start + each(factors) * (pixels - start)
    return tf.cast(tf.clip_by_value(moved, 0, 255), tf.uint8)
