"""The one resizing rule of training, evaluation, prediction and export."""

from __future__ import annotations

import functools

import tensorflow as tf

from hubcls.images.graph_decoding import cut, decode_window, whole
from hubcls.images.rounding import nearest_levels
from hubcls.preprocessing import Interpolation, Preprocessing

_LETTERBOX_GREY = 128
# How many times the input's pixels a JPEG must still have on each side after its decoder
# shrank it. With 2, a network's answers differ by a third of what they do between two
# usual ways to resize; with 1, by as much (docs/benchmarks.md).
_EVALUATION_MARGIN = 2


def resize(image: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The image at the module's input size, uint8 [height, width, 3].

    Sides that shrink to half or less are averaged ("area"), which keeps fine patterns
    from turning into false ones; otherwise pixels are interpolated without such a
    filter, three times as fast. A part of the averaging may be left to the decoder of a
    JPEG: `load` of a file then differs a little from `resize` of its picture.

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

    A JPEG that shrinks to a quarter or less is decoded at 1/2, 1/4 or 1/8 of its size and
    averaged on from there. The decoder's average is a little sharper than a plain mean.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        preprocessing: as for `resize`.
    """
    choose = functools.partial(evaluation_window, preprocessing=preprocessing)
    window, halvings = decode_window(path, needs_pillow, choose)
    return fit(window, preprocessing, halvings)


def load_shrunk(path: tf.Tensor, needs_pillow: tf.Tensor | bool, max_pixels: int) -> tf.Tensor:
    """The file's whole picture, shrunk where it has more pixels: to just that many or more.

    Every pixel is a weighted mean (a triangle, as Pillow's) of all that it stands for.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        max_pixels: height times width.

    Returns:
        uint8 [H, W, 3].
    """

    def choose(size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return aligned(whole(size), _with_pixels(size, max_pixels))

    decoded, halvings = decode_window(path, needs_pillow, choose)
    before = tf.shape(decoded)[:2]
    size = tf.minimum(_with_pixels(tf.bitwise.left_shift(before, halvings), max_pixels), before)

    def shrunk() -> tf.Tensor:
        return nearest_levels(tf.image.resize(decoded, size, antialias=True))

    pixels = tf.cond(tf.reduce_any(size < before), shrunk, lambda: decoded)
    return tf.ensure_shape(pixels, [None, None, 3])


def evaluation_window(size: tf.Tensor, preprocessing: Preprocessing) -> tuple[tf.Tensor, tf.Tensor]:
    """The part of a picture that evaluation sees, on the grid of `aligned`.

    Args:
        size: int32 [2], the picture's height and width.
        preprocessing: "center_crop" takes the largest centred window of the input's
            aspect ratio, scaled by crop_fraction; the other rules take all.

    Returns:
        As `aligned`.
    """
    wanted = tf.constant([preprocessing.height, preprocessing.width])
    if preprocessing.resize == "letterbox":
        wanted = _letterboxed(size, preprocessing)
    if preprocessing.resize != "center_crop":
        return aligned(whole(size), _EVALUATION_MARGIN * wanted)
    aspect = preprocessing.width / preprocessing.height
    window = centred_window(size, aspect=aspect, fraction=preprocessing.crop_fraction)
    return aligned(window, _EVALUATION_MARGIN * wanted)


def aligned(window: tf.Tensor, wanted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The window with its edges where a JPEG that is decoded at 1/2, 1/4 or 1/8 has pixels.

    libjpeg can average blocks of 2, 4 or 8 pixels before it transforms them into colours,
    which is quicker. A window that is to shrink that much is averaged anyway. We move its
    edges inward to the borders of the largest blocks of which it still has as many as
    pixels are wanted. All sources of images do so, that they show the same part of a
    picture, whether they save that work or not.

    Args:
        window: int32 [4], top, left, height, width.
        wanted: int32 [2], the least height and width.

    Returns:
        int32 [4], moved by less than window / wanted pixels; and how often it may be halved
        without falling below `wanted`, int32 [], 0–3.
    """
    corner, sides = window[:2], window[2:]
    times = tf.reduce_min(sides // wanted)
    halvings = tf.reduce_sum(tf.cast(times >= [2, 4, 8], tf.int32))
    block = tf.bitwise.left_shift(1, halvings)
    rest = sides % block
    corner = (corner + rest // 2) // block * block
    return tf.concat([corner, sides - rest], axis=0), halvings


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


def fit(
    window: tf.Tensor, preprocessing: Preprocessing, halvings: tf.Tensor | int = 0
) -> tf.Tensor:
    """The whole of `window` at the input size: padded or stretched.

    Args:
        window: uint8 [h, w, 3].
        preprocessing: size, resize rule and interpolation are read.
        halvings: how often the window was halved when it was decoded.
    """
    height, width = preprocessing.height, preprocessing.width
    if preprocessing.resize != "letterbox":
        return stretch(window, preprocessing, halvings)
    sides = _letterboxed(tf.shape(window)[:2], preprocessing)
    shrunk = _resample(window, sides, preprocessing.interpolation, halvings)
    top, left = tf.unstack(([height, width] - sides) // 2)
    bottom, right = height - sides[0] - top, width - sides[1] - left
    padded = tf.pad(shrunk, [[top, bottom], [left, right], [0, 0]], constant_values=_LETTERBOX_GREY)
    return tf.ensure_shape(padded, [height, width, 3])


def stretch(
    window: tf.Tensor, preprocessing: Preprocessing, halvings: tf.Tensor | int = 0
) -> tf.Tensor:
    """The whole of `window` at the input size, whatever its aspect ratio.

    Args:
        window: uint8 [h, w, 3].
        preprocessing: size and interpolation are read.
        halvings: how often the window was halved when it was decoded.
    """
    size = tf.constant([preprocessing.height, preprocessing.width])
    resampled = _resample(window, size, preprocessing.interpolation, halvings)
    return tf.ensure_shape(resampled, [preprocessing.height, preprocessing.width, 3])


def _with_pixels(size: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """The least size of that aspect ratio with `max_pixels`, but never greater: int32 [2]."""
    sides = tf.cast(size, tf.float64)
    scale = tf.sqrt(max_pixels / tf.reduce_prod(sides))
    return tf.minimum(tf.cast(tf.math.ceil(sides * scale), tf.int32), size)


def _letterboxed(size: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """Height and width of a whole picture within the input's, int32 [2]."""
    bounds = [preprocessing.height, preprocessing.width]
    sides = tf.cast(size, tf.float64)
    shrunk = tf.round(sides * tf.reduce_min(bounds / sides))
    return tf.clip_by_value(tf.cast(shrunk, tf.int32), 1, bounds)


def _resample(
    image: tf.Tensor, size: tf.Tensor, interpolation: Interpolation, halvings: tf.Tensor | int
) -> tf.Tensor:
    before = tf.shape(image)[:2]
    shrinks = tf.bitwise.left_shift(before, halvings) >= 2 * size

    def interpolate_both() -> tf.Tensor:
        return tf.cast(tf.image.resize(image, size, interpolation), tf.float32)

    def average_one() -> tf.Tensor:
        averaged = tf.image.resize(image, tf.where(shrinks, size, before), "area")
        return tf.image.resize(averaged, size, interpolation)

    def average_both() -> tf.Tensor:
        return tf.image.resize(image, size, "area")

    num_shrinking = tf.reduce_sum(tf.cast(shrinks, tf.int32))
    pixels = tf.switch_case(num_shrinking, [interpolate_both, average_one, average_both])
    return nearest_levels(pixels)
