"""The involution, tap by tap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("hubcls")
class Involution(keras.layers.Layer):
    """The sum over a window at every place, with that place's own kernel for each group.

    Involution, Li et al. 2021, arXiv:2103.06255, section 3. Taps of the kernel are added up
    one after the other, in the gradient too: unfolded, a map would be kernel_size² as large.
    """

    def __init__(self, kernel_size: int, strides: int = 1, **kwargs: Any) -> None:
        """Keep the window's side and step; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.strides = strides

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Convolve a map [B, H, W, C] by kernels [B, h, w, G·kernel_size²] to [B, h, w, C]."""
        x, kernels = inputs
        _, height, width, channels = x.shape
        taps = self.kernel_size**2
        groups = kernels.shape[3] // taps
        pad = self.kernel_size // 2
        x = tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        x = tf.reshape(x, (-1, height + 2 * pad, width + 2 * pad, groups, channels // groups))
        kernels = tf.reshape(kernels, (-1, *kernels.shape[1:3], groups, taps))
        added = _added_up(x, kernels, self.kernel_size, self.strides)
        return tf.reshape(added, (-1, *kernels.shape[1:3], channels))

    def compute_output_shape(
        self, input_shape: tuple[tuple[int | None, ...], tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """The kernels' places and the map's channels."""
        of_map, of_kernels = input_shape
        return (*of_kernels[:3], of_map[3])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **own}

    @property
    def num_macs(self) -> int:
        """Multiplications with addition for one map."""
        return int(math.prod(self.output.shape[1:]) * self.kernel_size**2)


def _added_up(x: Any, kernels: Any, kernel_size: int, strides: int) -> Any:
    """Windows of padded maps [B, H, W, G, c] times kernels [B, h, w, G, taps]."""
    _, height, width, *_ = kernels.shape

    def windows() -> Iterator[tuple[int, list[int], list[int]]]:
        for tap in range(kernel_size**2):
            row, column = divmod(tap, kernel_size)
            end = [0, row + strides * (height - 1) + 1, column + strides * (width - 1) + 1, 0, 0]
            yield tap, [0, row, column, 0, 0], end

    # Whole axes where the ends say 0.
    steps = {"strides": [1, strides, strides, 1, 1], "begin_mask": 0b11001, "end_mask": 0b11001}

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def weighted(x: Any, kernels: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
        total = tf.zeros((), x.dtype)
        for tap, begin, end in windows():
            part = tf.strided_slice(x, begin, end, **steps)
            total += part * kernels[..., tap, None]

        def gradient(upstream: Any) -> tuple[Any, Any]:
            to_x = tf.zeros_like(x)
            to_kernels = []
            for tap, begin, end in windows():
                part = tf.strided_slice(x, begin, end, **steps)
                to_kernels.append(tf.reduce_sum(part * upstream, axis=-1))
                to_x += tf.raw_ops.StridedSliceGrad(
                    shape=tf.shape(x),
                    begin=begin,
                    end=end,
                    dy=upstream * kernels[..., tap, None],
                    **steps,
                )
            return to_x, tf.stack(to_kernels, axis=-1)

        return total, gradient

    return weighted(x, kernels)
