"""Layers that Keras lacks, or computes too slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable("hubcls")
class GroupedConv2D(keras.layers.Conv2D):
    """A convolution whose groups see their own channels alone.

    Keras hands grouped convolutions to XLA on a CPU, which takes several hundred times as
    long as TensorFlow's own kernel: benchmarks/grouped_convolutions.py, docs/benchmarks.md.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution of maps [B, H, W, C] by TensorFlow's kernel."""
        return tf.nn.conv2d(
            inputs, kernel, list(self.strides), self.padding.upper(), dilations=self.dilation_rate
        )


@keras.saving.register_keras_serializable("hubcls")
class ChannelShuffle(keras.layers.Layer):
    """Channels of all groups in turn: the first of each, then the second of each, ….

    ShuffleNet, Zhang et al. 2018, arXiv:1707.01083, section 3.1.
    """

    def __init__(self, groups: int, **kwargs: Any) -> None:
        """Keep the number of groups; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.groups = groups

    def call(self, x: Any) -> Any:
        """Shuffle maps [B, H, W, C]."""
        height, width, channels = x.shape[1:]
        x = keras.ops.reshape(x, (-1, height, width, self.groups, channels // self.groups))
        x = keras.ops.transpose(x, (0, 1, 2, 4, 3))
        return keras.ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "groups": self.groups}


@keras.saving.register_keras_serializable("hubcls")
class HardSigmoid(keras.layers.Layer):
    """clip(slope·x + offset, 0, 1); Keras' own has slope 1/6 and offset 1/2."""

    def __init__(self, slope: float, offset: float, **kwargs: Any) -> None:
        """Keep the line; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.slope = slope
        self.offset = offset

    def call(self, x: Any) -> Any:
        """The gate of every number of a tensor."""
        return keras.ops.clip(self.slope * x + self.offset, 0.0, 1.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "slope": self.slope, "offset": self.offset}


@keras.saving.register_keras_serializable("hubcls")
class AdaptiveAveragePooling(keras.layers.Layer):
    """Means over a fixed number of windows, whatever the map's size, as PyTorch cuts them.

    Window i of n reaches from floor(i·L/n) to ceil((i+1)·L/n) of a side of length L.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        """Keep the number of windows a side; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Any) -> Any:
        """Pool maps [B, H, W, C] to [B, size, size, C]."""
        rows, columns = (self._shares(length, x.dtype) for length in x.shape[1:3])
        return keras.ops.einsum("ih,jw,bhwc->bijc", rows, columns, x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[B, size, size, C]."""
        return input_shape[0], self.size, self.size, input_shape[3]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "size": self.size}

    def _shares(self, length: int, dtype: Any) -> Any:
        """What each place of a side of this length gives to each window [size, length]."""
        start = np.arange(self.size) * length // self.size
        end = -(-(np.arange(self.size) + 1) * length // self.size)
        place = np.arange(length)
        inside = (place >= start[:, None]) & (place < end[:, None])
        return keras.ops.cast(inside / inside.sum(axis=1, keepdims=True), dtype)


@keras.saving.register_keras_serializable("hubcls")
class ResidualSum(keras.layers.Layer):
    """A shortcut plus a branch; in training, a share of the images goes without the branch.

    Stochastic depth, Huang et al. 2016, arXiv:1603.09382, section 3. Where the paper multiplies
    branches by the share that stays in inference, we divide by it in training, as timm and
    PaddleClas do: inference is the plain sum. So is training at a rate of 0.
    """

    def __init__(self, rate: float = 0.0, **kwargs: Any) -> None:
        """Keep the share of images, in [0, 1); `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator() if rate else None

    def call(self, inputs: Sequence[Any], training: bool = False) -> Any:
        """The sum [B, ...] of a shortcut and a branch of its shape."""
        shortcut, branch = inputs
        if training and self.rate:
            one_an_image = (None, *(1,) * (len(branch.shape) - 1))
            branch = keras.random.dropout(branch, self.rate, one_an_image, self.seed_generator)
        return keras.ops.add(shortcut, branch)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """The shortcut's shape."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "rate": self.rate}
