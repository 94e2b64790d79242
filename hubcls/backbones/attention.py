"""The pieces of all transformers, as functions on Keras tensors [..., C].

Layers with weights are called exactly as given, or with the endings of timm's names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from hubcls.backbones.attention_layers import Attention
from hubcls.backbones.blocks import activated, dense
from hubcls.backbones.layers import ResidualSum

Pair = tuple[int, int]


def layer_normalised(x: Any, epsilon: float, *, name: str) -> Any:
    """LayerNorm over the channels."""
    return keras.layers.LayerNormalization(epsilon=epsilon, name=name)(x)


def added(x: Any, shortcut: Any, *, name: str) -> Any:
    """A branch summed with its shortcut, called `<name>_add`."""
    return ResidualSum(name=f"{name}_add")([shortcut, x])


def perceived(x: Any, ratio: float, *, name: str) -> Any:
    """Two dense layers with a GELU between them, the first `ratio` times as wide."""
    channels = x.shape[-1]
    x = dense(x, int(ratio * channels), name=f"{name}.fc1")
    return dense(activated(x, "gelu", name=f"{name}.fc1"), channels, name=f"{name}.fc2")


def self_attended(
    x: Any, num_heads: int, *, name: str, bias: bool = True, scale: float | None = None
) -> Any:
    """Attention between all tokens of [..., N, C], with one dense layer for all three."""
    channels = x.shape[-1]
    x = dense(x, 3 * channels, bias=bias, name=f"{name}.qkv")
    x = Attention(num_heads, scale, name=f"{name}.product")(keras.ops.split(x, 3, axis=-1))
    return dense(x, channels, name=f"{name}.proj")


def tokens(x: Any, *, name: str) -> Any:
    """The places of a map [B, h, w, C] in a row [B, h · w, C]."""
    size = (math.prod(x.shape[1:3]), x.shape[3])
    return keras.layers.Reshape(size, name=f"{name}_tokens")(x)


def padded_to_multiples(x: Any, sides: Sequence[int], *, name: str) -> Any:
    """The map with zeros below and to the right, until both sides are multiples."""
    below, right = (-length % side for length, side in zip(x.shape[1:3], sides, strict=True))
    if not below and not right:
        return x
    return keras.layers.ZeroPadding2D(((0, below), (0, right)), name=f"{name}_pad")(x)


def windows(x: Any, window: Pair) -> Any:
    """A map [B, h, w, C] as windows [B, windows, places, C]; its sides are multiples."""
    (height, width, channels), (down, across) = x.shape[1:], window
    x = keras.ops.reshape(x, (-1, height // down, down, width // across, across, channels))
    x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(x, (-1, height * width // (down * across), down * across, channels))


def map_of_windows(x: Any, window: Pair, size: Pair, *, name: str) -> Any:
    """The map [B, h, w, C] that `padded_to_multiples` and `windows` have cut."""
    down, across = window
    rows, columns = (-(-length // side) for length, side in zip(size, window, strict=True))
    x = keras.ops.reshape(x, (-1, rows, columns, down, across, x.shape[-1]))
    x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
    x = keras.ops.reshape(x, (-1, rows * down, columns * across, x.shape[-1]))
    below, right = (-length % side for length, side in zip(size, window, strict=True))
    if not below and not right:
        return x
    return keras.layers.Cropping2D(((0, below), (0, right)), name=f"{name}_crop")(x)


def quarters(depth: int) -> Iterator[range]:
    """The numbers of a network's blocks, in four groups of about the same size."""
    ends = [round(depth * part / 4) for part in range(5)]
    yield from map(range, ends[:-1], ends[1:])


def check_multiples(x: Any, side: int) -> None:
    """Refuse images that no whole number of patches covers.

    Raises:
        ValueError: a side of the images [B, H, W, C] is not a multiple of the patch's.
    """
    if any(length % side for length in x.shape[1:3]):
        raise ValueError(f"height and width must be multiples of {side}, its patches' side")
