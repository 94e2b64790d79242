"""Attention, plain and with what it knows about places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from hubcls.backbones.token_layers import Pair, Shape, learned_table


@keras.saving.register_keras_serializable("hubcls")
class Attention(keras.layers.Layer):
    """softmax(scale · Q Kᵀ) V of several heads; scores and softmax are float32.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.

    Attributes:
        num_macs: multiplications with addition for one image, known once it is built.
    """

    def __init__(self, num_heads: int, scale: float | None = None, **kwargs: Any) -> None:
        """Keep the number of heads, and the scale where it is not 1/√channels of a head."""
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.scale = scale
        self.num_macs = 0

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Count the work on queries, keys and values of these shapes."""
        queries, keys, values = (tuple(side or 0 for side in one) for one in input_shape)
        self.num_macs = math.prod(queries[1:-1]) * keys[-2] * (keys[-1] + values[-1])

    def call(self, inputs: Sequence[Any]) -> Any:
        """Values [..., N, V] for queries [..., N, C], keys [..., M, C], values [..., M, V]."""
        queries, keys, values = (self._heads(one) for one in inputs)
        scale = self.scale or queries.shape[-1] ** -0.5
        scores = keras.ops.matmul(queries * scale, keras.ops.swapaxes(keys, -1, -2))
        scores = self.biased(keras.ops.cast(scores, "float32"))
        shares = keras.ops.cast(keras.ops.softmax(scores, axis=-1), self.compute_dtype)
        found = keras.ops.swapaxes(keras.ops.matmul(shares, values), -2, -3)
        return keras.ops.reshape(found, (-1, *inputs[0].shape[1:-1], inputs[2].shape[-1]))

    def biased(self, scores: Any) -> Any:
        """Scores [..., heads, N, M] with what is known of the places; here nothing."""
        return scores

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """[..., N, V]."""
        return (*input_shape[0][:-1], input_shape[2][-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_heads": self.num_heads, "scale": self.scale}

    def _heads(self, x: Any) -> Any:
        """[..., N, heads · d] as [..., heads, N, d]."""
        shape = (-1, *x.shape[1:-1], self.num_heads, x.shape[-1] // self.num_heads)
        return keras.ops.swapaxes(keras.ops.reshape(x, shape), -2, -3)


@keras.saving.register_keras_serializable("hubcls")
class WindowAttention(Attention):
    """Attention inside windows [B, windows, places, C], with a bias for each offset.

    Swin, Liu et al. 2021, arXiv:2103.14030, section 3.2. Where the map is smaller than
    the window, the table's entries for the offsets that still occur are used.
    """

    def __init__(
        self, num_heads: int, *, reach: int, grid: Pair, window: Pair, shift: Pair, **kwargs: Any
    ) -> None:
        """Keep how the windows lie.

        Args:
            num_heads: number of heads.
            reach: side of the windows that the table is for.
            grid: height and width of the map that the windows cover.
            window: height and width of a window, at most `reach`.
            shift: rows and columns by which the map was rolled.
            kwargs: Keras' own (name, dtype).
        """
        super().__init__(num_heads, **kwargs)
        self.reach = reach
        self.grid = tuple(grid)
        self.window = tuple(window)
        self.shift = tuple(shift)

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Make the table [offsets, heads]."""
        super().build(input_shape)
        self.value = learned_table(self, ((2 * self.reach - 1) ** 2, self.num_heads))

    def biased(self, scores: Any) -> Any:
        """Scores with the offset's bias; -100 between parts that rolling brought together."""
        places = _places(self.window)
        rows, columns = np.moveaxis(places[:, None] - places[None] + self.reach - 1, -1, 0)
        bias = keras.ops.take(self.value, rows * (2 * self.reach - 1) + columns, axis=0)
        scores += keras.ops.transpose(bias, (2, 0, 1))
        if not any(self.shift):
            return scores
        parts = self._parts()
        is_apart = parts[:, None, :, None] != parts[:, None, None, :]
        return scores + np.where(is_apart, np.float32(-100), np.float32(0))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("reach", "grid", "window", "shift")}
        config = {**super().get_config(), **own}
        del config["scale"]
        return config

    def _parts(self) -> npt.NDArray[np.int64]:
        """For each place of each window, which part of the rolled map it belongs to."""
        rows, columns = (
            np.digitize(np.arange(side), [side - window, side - shift] if shift else [])
            for side, window, shift in zip(self.grid, self.window, self.shift, strict=True)
        )
        (height, width), (down, across) = self.grid, self.window
        parts: npt.NDArray[np.int64] = 3 * rows[:, None] + columns
        cut = parts.reshape(height // down, down, width // across, across)
        windows: npt.NDArray[np.int64] = cut.transpose(0, 2, 1, 3).reshape(-1, down * across)
        return windows


@keras.saving.register_keras_serializable("hubcls")
class DistanceAttention(Attention):
    """Attention on a map's places [B, places, C], with a bias for each distance.

    LeViT, Graham et al. 2021, arXiv:2104.01136, section 4.2: rows and columns count
    without their sign.
    """

    def __init__(
        self, num_heads: int, *, reach: int, grid: Pair, strides: int = 1, **kwargs: Any
    ) -> None:
        """Keep how the places lie.

        Args:
            num_heads: number of heads.
            reach: side of the largest map that the table is for.
            grid: height and width of the map, at most `reach`.
            strides: step between the places that ask.
            kwargs: Keras' own (name, dtype).
        """
        super().__init__(num_heads, **kwargs)
        self.reach = reach
        self.grid = tuple(grid)
        self.strides = strides

    def build(self, input_shape: Sequence[Shape]) -> None:
        """Make the table [heads, distances]."""
        super().build(input_shape)
        self.value = learned_table(self, (self.num_heads, self.reach**2))

    def biased(self, scores: Any) -> Any:
        """Scores with the distance's bias."""
        asking, asked = _places(self.grid, self.strides), _places(self.grid)
        rows, columns = np.moveaxis(abs(asking[:, None] - asked[None]), -1, 0)
        return scores + keras.ops.take(self.value, rows * self.reach + columns, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("reach", "grid", "strides")}
        config = {**super().get_config(), **own}
        del config["scale"]
        return config


def _places(grid: Sequence[int], strides: int = 1) -> npt.NDArray[np.int64]:
    """Row and column of each place of a map [places, 2]."""
    sides = [np.arange(0, side, strides) for side in grid]
    return np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
