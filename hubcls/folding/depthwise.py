"""A depthwise convolution whose kernel's gradient is quick on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

# oneDNN has a quick gradient for kernels up to this wide; from 4 on it takes 5 times as long
# and more (TensorFlow 2.21).
_QUICK_WIDTH = 3


def is_slow(kernel_size: tuple[int, int]) -> bool:
    """Whether TensorFlow's gradient for such a kernel, rows by columns, is slow on a CPU."""
    return kernel_size[1] > _QUICK_WIDTH


def depthwise_conv2d(images: tf.Tensor, kernel: tf.Tensor, *, stride: int, padding: str) -> Any:
    """`tf.nn.depthwise_conv2d`; the gradient for the kernel is computed by strips of columns.

    A column of the kernel sees the images shifted to the side, so the columns' gradients do
    not depend on each other: each strip's is that of a narrow convolution.

    Args:
        images: [B, H, W, C].
        kernel: [rows, columns, C, multiplier].
        stride: of both directions.
        padding: "SAME" or "VALID".

    Returns:
        [B, h, w, C · multiplier].
    """
    strides = [1, stride, stride, 1]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def convolved(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
        def gradient(above: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_images = tf.nn.depthwise_conv2d_backprop_input(
                tf.shape(images), kernel, above, strides, padding
            )
            return of_images, _of_kernel(images, kernel.shape, above, stride, padding)

        return tf.nn.depthwise_conv2d(images, kernel, strides, padding), gradient

    return convolved(images, kernel)


def _of_kernel(
    images: tf.Tensor, kernel_shape: tf.TensorShape, above: tf.Tensor, stride: int, padding: str
) -> tf.Tensor:
    rows, columns, *channels = kernel_shape
    sides = zip(images.shape[1:3], above.shape[1:3], (rows, columns), strict=True)
    (upper, lower), (left, _) = [_border(*side, stride, padding) for side in sides]
    strips = []
    for start in range(0, columns, _QUICK_WIDTH):
        # The last strip overlaps the one before it: of two, each then adds one border to the
        # images and cuts nothing off.
        first = min(start, columns - _QUICK_WIDTH)
        reach = (above.shape[2] - 1) * stride + _QUICK_WIDTH
        seen = _shifted(images, (upper, lower), first - left, reach)
        strip = tf.nn.depthwise_conv2d_backprop_filter(
            seen, (rows, _QUICK_WIDTH, *channels), above, [1, stride, stride, 1], "VALID"
        )
        strips.append(strip[:, start - first :])
    return tf.concat(strips, axis=1)


def _shifted(images: tf.Tensor, border: tuple[int, int], start: int, reach: int) -> tf.Tensor:
    """`reach` columns from `start` on, zeros beyond the images, and a border of rows.

    Not as the gradient's own explicit padding, which oneDNN does not know.
    """
    width = images.shape[2]
    if start > 0 or start + reach < width:
        images = images[:, :, max(0, start) : start + reach]
    return tf.pad(images, [(0, 0), border, (max(0, -start), max(0, start + reach - width)), (0, 0)])


def _border(length: int, result: int, size: int, stride: int, padding: str) -> tuple[int, int]:
    """Places that the convolution adds before and after a side."""
    missing = max(0, (result - 1) * stride + size - length) if padding == "SAME" else 0
    return missing // 2, missing - missing // 2
