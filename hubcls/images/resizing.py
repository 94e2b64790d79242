"""The one resizing rule of training, evaluation, prediction and export."""

from __future__ import annotations

import functools

import tensorflow as tf

from hubcls.images.graph_decoding import cut, decode_window, whole
from hubcls.preprocessing import Interpolation, Preprocessing

_LETTERBOX_GREY = 128


def resize(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The image at the module's input size, uint8 [height, width, 3].

    Sides that shrink to half or less are averaged ("area"), which keeps fine patterns
    from turning into false ones; otherwise pixels are interpolated without such a
    filter, three times as fast.

    Args:
        image: uint8 [H, W, 3], RGB.
        preprocessing: size, resize rule, crop_fraction and interpolation are read.
    """
    window = cut(image, functools.partial(evaluation_window, preprocessing=preprocessing))
    return fit(window, preprocessing)


def load(
    path: tf.Tensor, needs_pillow: tf.Tensor | bool, preprocessing: Preprocessing
) -> tf.Tensor:
    """`resize` of the file's picture, decoding little more of a JPEG than is used.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        preprocessing: as for `resize`.
    """
    choose = functools.partial(evaluation_window, preprocessing=preprocessing)
    return fit(decode_window(path, needs_pillow, choose), preprocessing)


def evaluation_window(size: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The part of a picture that evaluation sees: int32 [4], top, left, height, width.

    Args:
        size: int32 [2], the picture's height and width.
        preprocessing: "center_crop" takes the largest centred window of the input's
            aspect ratio, scaled by crop_fraction; the other rules take all.
    """
    if preprocessing.resize != "center_crop":
        return whole(size)
    return centred_window(
        size,
        aspect=preprocessing.width / preprocessing.height,
        fraction=preprocessing.crop_fraction,
    )


def centred_window(size: tf.Tensor, *, aspect: float, fraction: float) -> tf.Tensor:
    """The largest centred window of an aspect ratio, its sides scaled by `fraction`.

    Args:
        size: int32 [2], the picture's height and width.
        aspect: the window's width over its height.
        fraction: in (0, 1].
    """
    available = tf.cast(size, tf.float64)
    height = tf.minimum(available[0], available[1] / aspect) * fraction
    sides = tf.cast(tf.round(tf.stack([height, height * aspect])), tf.int32)
    sides = tf.clip_by_value(sides, 1, size)
    return tf.concat([(size - sides) // 2, sides], axis=0)


def fit(window: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The whole of `window`, uint8 [h, w, 3], at the input size: padded or stretched."""
    height, width = preprocessing.height, preprocessing.width
    if preprocessing.resize != "letterbox":
        return stretch(window, preprocessing)
    size = tf.shape(window)[:2]
    scale = tf.reduce_min([height, width] / size)
    sides = tf.cast(tf.round(tf.cast(size, tf.float64) * scale), tf.int32)
    sides = tf.clip_by_value(sides, 1, [height, width])
    shrunk = _resample(window, sides, preprocessing.interpolation)
    top, left = tf.unstack(([height, width] - sides) // 2)
    bottom, right = height - sides[0] - top, width - sides[1] - left
    padded = tf.pad(shrunk, [[top, bottom], [left, right], [0, 0]], constant_values=_LETTERBOX_GREY)
    return tf.ensure_shape(padded, [height, width, 3])


def stretch(window: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The whole of `window`, uint8 [h, w, 3], at the input size, whatever its aspect ratio."""
    size = tf.constant([preprocessing.height, preprocessing.width])
    resampled = _resample(window, size, preprocessing.interpolation)
    return tf.ensure_shape(resampled, [preprocessing.height, preprocessing.width, 3])


def _resample(image: tf.Tensor, size: tf.Tensor, interpolation: Interpolation) -> tf.Tensor:
    before = tf.shape(image)[:2]
    shrinks = before >= 2 * size

    def interpolate_both() -> tf.Tensor:
        return tf.cast(tf.image.resize(image, size, interpolation), tf.float32)

    def average_one() -> tf.Tensor:
        averaged = tf.image.resize(image, tf.where(shrinks, size, before), "area")
        return tf.image.resize(averaged, size, interpolation)

    def average_both() -> tf.Tensor:
        return tf.image.resize(image, size, "area")

    num_shrinking = tf.reduce_sum(tf.cast(shrinks, tf.int32))
    pixels = tf.switch_case(num_shrinking, [interpolate_both, average_one, average_both])
    if interpolation == "bicubic":  # the others never leave 0–255
        pixels = tf.clip_by_value(pixels, 0, 255)
    return tf.cast(pixels + 0.5, tf.uint8)
