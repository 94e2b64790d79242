"""Image files to uint8 RGB tensors inside TensorFlow graphs, whole or a window of them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hubcls.images.decoding import read_with_pillow

ChooseWindow = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""A picture's height and width, int32 [2] → a window of it, int32 [4]: top, left, height,
width; and how often decoding may halve it, int32 [], 0–3: each of the four is a multiple
of 2 to that power."""

# Beside the borders of its window libjpeg has no neighbours to smooth colours with, so we
# decode two columns more and cut them off: exactly the pixels of the whole picture.
_CHROMA_MARGIN = 2
_JPEG_RATIOS = (1, 2, 4, 8)


def decode(path: tf.Tensor, needs_pillow: tf.Tensor | bool) -> tf.Tensor:
    """The picture as uint8 [H, W, 3], RGB, 0–255, equal to `read_with_pillow`'s.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found. Where Python already knows it to be
            False, the graph holds no Python function.
    """
    return decode_window(path, needs_pillow, lambda size: (whole(size), tf.constant(0)))[0]


def decode_window(
    path: tf.Tensor, needs_pillow: tf.Tensor | bool, choose: ChooseWindow
) -> tuple[tf.Tensor, tf.Tensor]:
    """A window of the picture; of a JPEG little more is decoded, and small where it may be.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        choose: picks the window once the picture's size is known.

    Returns:
        uint8 [h, w, 3], and how often it was halved, int32 []: 0 for other than plain JPEG
        files.
    """
    contents = tf.io.read_file(path)
    is_plain_jpeg = tf.logical_and(
        tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff", tf.logical_not(needs_pillow)
    )
    pixels, halvings = tf.cond(
        is_plain_jpeg,
        lambda: _decode_jpeg_window(contents, choose),
        lambda: (cut(_decode_other(path, contents, needs_pillow), choose), tf.constant(0)),
    )
    return pixels, halvings


def whole(size: tf.Tensor) -> tf.Tensor:
    """The window that holds all of a picture of `size`, int32 [2]."""
    return tf.concat([[0, 0], size], axis=0)


def cut(image: tf.Tensor, choose: ChooseWindow) -> tf.Tensor:
    """The chosen window of `image`, uint8 [H, W, 3], in full size."""
    window, _ = choose(tf.shape(image)[:2])
    top, left, height, width = tf.unstack(window)
    return image[top : top + height, left : left + width]


def _decode_jpeg_window(contents: tf.Tensor, choose: ChooseWindow) -> tuple[tf.Tensor, tf.Tensor]:
    size = tf.io.extract_jpeg_shape(contents)[:2]
    window, halvings = choose(size)
    ratio = tf.bitwise.left_shift(1, halvings)
    top, left, height, width = tf.unstack(window // ratio)
    columns = (size[1] + ratio - 1) // ratio
    first = tf.maximum(left - _CHROMA_MARGIN, 0)
    end = tf.minimum(left + width + _CHROMA_MARGIN, columns)
    box = tf.stack([top, first, height, end - first])
    decoded = tf.switch_case(
        halvings,
        [functools.partial(_decode_jpeg, contents, box, ratio=ratio) for ratio in _JPEG_RATIOS],
    )
    return decoded[:, left - first : left - first + width], halvings


def _decode_jpeg(contents: tf.Tensor, box: tf.Tensor, *, ratio: int) -> tf.Tensor:
    """The box of the picture at 1/ratio of its size, in whose pixels the box counts."""
    return tf.image.decode_and_crop_jpeg(
        contents,
        box,
        channels=3,
        ratio=ratio,
        dct_method="INTEGER_ACCURATE",  # Pillow's; the default differs from it by up to 5
        # inspect() refuses what Pillow finds damaged; the little that libjpeg mends in
        # Pillow's hands it must not refuse here, in the middle of a run.
        try_recover_truncated=True,
        acceptable_fraction=0.0,
    )


def _decode_other(
    path: tf.Tensor, contents: tf.Tensor, needs_pillow: tf.Tensor | bool
) -> tf.Tensor:
    def by_pillow() -> tf.Tensor:
        pixels = tf.numpy_function(_read, [path], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, None, 3])

    def by_tensorflow() -> tf.Tensor:
        is_png = tf.strings.substr(contents, 0, 4) == b"\x89PNG"
        return tf.cond(
            is_png,
            lambda: tf.io.decode_png(contents, channels=3),
            lambda: tf.io.decode_webp(contents, channels=3)[0],
        )

    known = tf.get_static_value(tf.convert_to_tensor(needs_pillow))
    if known is None:
        return tf.cond(needs_pillow, by_pillow, by_tensorflow)
    return by_pillow() if known else by_tensorflow()


def _read(path: bytes | np.ndarray) -> np.ndarray:
    # TensorFlow passes bytes inside a graph and an array around them outside.
    return read_with_pillow(os.fsdecode(np.asarray(path, dtype=object).item()))
