"""Layers that make tokens, and tell them where they stand.

A layer with a single weight calls it "value": the layer's name is then its whole key.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Shape = tuple[int | None, ...]
Pair = tuple[int, int]


def learned_table(layer: keras.layers.Layer, shape: Shape) -> Any:
    """The one weight of a layer, float32 under every dtype policy."""
    initializer = keras.initializers.TruncatedNormal(stddev=0.02)
    return layer.add_weight(shape=shape, initializer=initializer, name="value", autocast=False)


@keras.saving.register_keras_serializable("hubcls")
class PrependedToken(keras.layers.Layer):
    """A learned token in front of all others."""

    def build(self, input_shape: Shape) -> None:
        """Make the token [1, 1, C]."""
        self.value = learned_table(self, (1, 1, int(input_shape[-1] or 0)))

    def call(self, x: Any) -> Any:
        """Tokens [B, 1 + N, C] for tokens [B, N, C]."""
        token = keras.ops.cast(self.value, x.dtype)
        shape = (keras.ops.shape(x)[0], 1, x.shape[-1])
        return keras.ops.concatenate([keras.ops.broadcast_to(token, shape), x], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One token more."""
        return input_shape[0], 1 + int(input_shape[1] or 0), input_shape[2]


@keras.saving.register_keras_serializable("hubcls")
class FirstTokens(keras.layers.Layer):
    """The tokens in front of those of the patches."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        """Keep how many; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.count = count

    def call(self, x: Any) -> Any:
        """Tokens [B, count, C] of tokens [B, N, C]."""
        return x[:, : self.count]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """[B, count, C]."""
        return input_shape[0], self.count, input_shape[2]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("hubcls")
class PositionEmbedding(keras.layers.Layer):
    """A learned vector for each place, added to the tokens.

    The vectors belong to one grid, so that a published file always fits. Another grid gets
    them resampled, bicubic with antialiasing as Pillow and timm do; those of tokens in
    front stay as they are. ViT, Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.2.
    """

    def __init__(self, grid: Pair, size: Pair, **kwargs: Any) -> None:
        """Keep the grids.

        Args:
            grid: rows and columns that there are vectors for.
            size: rows and columns of the tokens.
            kwargs: Keras' own (name, dtype).
        """
        super().__init__(**kwargs)
        self.grid = tuple(grid)
        self.size = tuple(size)

    def build(self, input_shape: Shape) -> None:
        """Make the vectors [1, tokens in front + places of the grid, C]."""
        self._in_front = int(input_shape[1] or 0) - math.prod(self.size)
        channels = int(input_shape[2] or 0)
        self.value = learned_table(self, (1, self._in_front + math.prod(self.grid), channels))

    def call(self, x: Any) -> Any:
        """Tokens [B, N, C] with their places."""
        return x + keras.ops.cast(self._resampled(), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "grid": self.grid, "size": self.size}

    def _resampled(self) -> Any:
        if self.grid == self.size:
            return self.value
        channels = self.value.shape[-1]
        places = keras.ops.reshape(self.value[0, self._in_front :], (*self.grid, channels))
        rows, columns = map(_resampling, self.grid, self.size)
        places = keras.ops.einsum("ih,jw,hwc->ijc", rows, columns, places)
        places = keras.ops.reshape(places, (1, -1, channels))
        return keras.ops.concatenate([self.value[:, : self._in_front], places], axis=1)


@keras.saving.register_keras_serializable("hubcls")
class PatchConv2D(keras.layers.Conv2D):
    """A convolution that sees one patch of the image at a time, with zeros around it."""

    def __init__(self, filters: int, kernel_size: int, *, patch_size: int, **kwargs: Any) -> None:
        """Keep the patch's side; all else is Keras' own."""
        super().__init__(filters, kernel_size, **kwargs)
        self.patch_size = patch_size

    def call(self, x: Any) -> Any:
        """Pixels [B, patches, places, filters] of images [B, H, W, C]."""
        channels, side, margin = x.shape[-1], self.patch_size, self.kernel_size[0] // 2
        rows, columns = (length // side for length in x.shape[1:3])
        x = keras.ops.reshape(x, (-1, rows, side, columns, side, channels))
        x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = keras.ops.reshape(x, (-1, side, side, channels))
        edge = (margin, margin)
        x = super().call(keras.ops.pad(x, ((0, 0), edge, edge, (0, 0))))
        return keras.ops.reshape(x, (-1, rows * columns, x.shape[1] * x.shape[2], self.filters))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """[B, patches, places, filters]."""
        patches = math.prod(int(length or 0) // self.patch_size for length in input_shape[1:3])
        places = math.prod(-(-self.patch_size // stride) for stride in self.strides)
        return input_shape[0], patches, places, self.filters

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "patch_size": self.patch_size}


@keras.saving.register_keras_serializable("hubcls")
class PixelPositions(keras.layers.Layer):
    """A learned vector for each place inside a patch, the same for all patches."""

    def __init__(self, side: int, **kwargs: Any) -> None:
        """Keep the places along a side; `kwargs` are Keras' own (name, dtype)."""
        super().__init__(**kwargs)
        self.side = side

    def build(self, input_shape: Shape) -> None:
        """Make the vectors, channels first as published [1, C, side, side]."""
        self.value = learned_table(self, (1, int(input_shape[-1] or 0), self.side, self.side))

    def call(self, x: Any) -> Any:
        """Pixels [B, patches, places, C] with their places."""
        places = keras.ops.reshape(self.value[0], (-1, self.side**2))
        return x + keras.ops.cast(keras.ops.transpose(places), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "side": self.side}


def _resampling(length: int, size: int) -> npt.NDArray[np.float32]:
    """What each of `length` numbers gives to each of `size` [size, length].

    Keys 1981, "Cubic convolution interpolation", with a = -1/2; where the grid gets
    coarser, the window is wider by as much.
    """
    scale = length / size
    width = max(scale, 1.0)
    centres = scale * (np.arange(size) + 0.5)
    distance = abs(np.arange(length) + 0.5 - centres[:, None]) / width
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    shares: npt.NDArray[np.float32] = weights / weights.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)
