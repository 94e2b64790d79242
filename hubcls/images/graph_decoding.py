"""Image files to uint8 RGB tensors inside TensorFlow graphs, whole or a window of them."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hubcls.images.decoding import read_with_pillow

ChooseWindow = Callable[[tf.Tensor], tf.Tensor]
"""int32 [2], a picture's height and width → int32 [4], a window's top, left, height, width."""

# Beside the right border of its window libjpeg has no neighbour to smooth colours with,
# so we decode two columns more and cut them off: exactly the pixels of the whole picture.
_CHROMA_MARGIN = 2


def decode(path: tf.Tensor, needs_pillow: tf.Tensor | bool) -> tf.Tensor:
    """The picture as uint8 [H, W, 3], RGB, 0–255, equal to `read_with_pillow`'s.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found. Where Python already knows it to be
            False, the graph holds no Python function.
    """
    return decode_window(path, needs_pillow, whole)


def decode_window(
    path: tf.Tensor, needs_pillow: tf.Tensor | bool, choose: ChooseWindow
) -> tf.Tensor:
    """A window of the picture as uint8 [h, w, 3]; of a JPEG little more is decoded.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        choose: picks the window once the picture's size is known.
    """
    contents = tf.io.read_file(path)
    is_plain_jpeg = tf.logical_and(
        tf.strings.substr(contents, 0, 3) == b"\xff\xd8\xff", tf.logical_not(needs_pillow)
    )
    return tf.cond(
        is_plain_jpeg,
        lambda: _decode_jpeg_window(contents, choose),
        lambda: cut(_decode_other(path, contents, needs_pillow), choose),
    )


def whole(size: tf.Tensor) -> tf.Tensor:
    """The window that holds all of a picture of `size`, int32 [2]."""
    return tf.concat([[0, 0], size], axis=0)


def cut(image: tf.Tensor, choose: ChooseWindow) -> tf.Tensor:
    """The chosen window of `image`, uint8 [H, W, 3]."""
    top, left, height, width = tf.unstack(choose(tf.shape(image)[:2]))
    return image[top : top + height, left : left + width]


def _decode_jpeg_window(contents: tf.Tensor, choose: ChooseWindow) -> tf.Tensor:
    size = tf.io.extract_jpeg_shape(contents)[:2]
    top, left, height, width = tf.unstack(choose(size))
    wider = tf.minimum(width + _CHROMA_MARGIN, size[1] - left)
    decoded = tf.image.decode_and_crop_jpeg(
        contents,
        tf.stack([top, left, height, wider]),
        channels=3,
        dct_method="INTEGER_ACCURATE",  # Pillow's; the default differs from it by up to 5
        # inspect() refuses what Pillow finds damaged; the little that libjpeg mends in
        # Pillow's hands it must not refuse here, in the middle of a run.
        try_recover_truncated=True,
        acceptable_fraction=0.0,
    )
    return decoded[:, :width]


def _decode_other(
    path: tf.Tensor, contents: tf.Tensor, needs_pillow: tf.Tensor | bool
) -> tf.Tensor:
    def by_pillow() -> tf.Tensor:
        pixels = tf.numpy_function(_read, [path], tf.uint8, stateful=False)
        return tf.ensure_shape(pixels, [None, None, 3])

    def by_tensorflow() -> tf.Tensor:
        return tf.io.decode_png(contents, channels=3)

    known = tf.get_static_value(tf.convert_to_tensor(needs_pillow))
    if known is None:
        return tf.cond(needs_pillow, by_pillow, by_tensorflow)
    return by_pillow() if known else by_tensorflow()


def _read(path: bytes | np.ndarray) -> np.ndarray:
    # TensorFlow passes bytes inside a graph and an array around them outside.
    return read_with_pillow(os.fsdecode(np.asarray(path, dtype=object).item()))
