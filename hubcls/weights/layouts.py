"""How other frameworks lay out the arrays of a layer, and the way from there to Keras.

Each rule names, for one kind of layer, the leaf of the checkpoint's key that holds each
weight, and the transposition that Keras wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Layout = Callable[[Array, tuple[int, ...]], Array]
Leaves = Mapping[str, Mapping[str, tuple[str, Layout]]]


def as_is(array: Array, shape: tuple[int, ...]) -> Array:
    """The array itself."""
    return array


def scaled(layout: Layout, factor: float) -> Layout:
    """The layout, and every number times `factor`."""
    return lambda array, shape: layout(array, shape) * array.dtype.type(factor)


def convolution_from_torch(array: Array, shape: tuple[int, ...]) -> Array:
    """A convolution's kernel [O, I, h, w] as [h, w, I, O].

    A dense kernel [O, I·h·w] on flattened channels-first maps is a convolution as large
    as the map, and is taken for one when a convolution is wanted.
    """
    if array.ndim == 2 and len(shape) == 4:
        height, width, inputs, outputs = shape
        array = array.reshape(outputs, inputs, height, width)
    return np.transpose(array, (2, 3, 1, 0))


def convolution_from_paddle(array: Array, shape: tuple[int, ...]) -> Array:
    """The same, where dense kernels are [I·h·w, O]."""
    return convolution_from_torch(array.T if array.ndim == 2 else array, shape)


def depthwise_to_keras(array: Array, shape: tuple[int, ...]) -> Array:
    """A depthwise kernel [C, 1, h, w] as [h, w, C, 1]."""
    return np.transpose(array, (2, 3, 0, 1))


def dense_from_torch(array: Array, shape: tuple[int, ...]) -> Array:
    """A dense kernel [O, I], or the same as a convolution [O, I, 1, 1], as [I, O]."""
    return np.transpose(_without_window(array))


def dense_from_paddle(array: Array, shape: tuple[int, ...]) -> Array:
    """A dense kernel, [I, O] already, or a convolution [O, I, 1, 1], as [I, O]."""
    return np.transpose(_without_window(array)) if array.ndim > 2 else array


def bfloat16_to_float32(bits: Array) -> Array:
    """bfloat16 numbers, given as uint16 bits, in float32: its upper half, so exactly equal."""
    return (bits.astype("<u4") << 16).view("<f4")


def _without_window(array: Array) -> Array:
    is_pointwise = array.ndim in (3, 4) and set(array.shape[2:]) == {1}
    return array.reshape(array.shape[:2]) if is_pointwise else array


_NORMALISATION = {"gamma": (".weight", as_is), "beta": (".bias", as_is)}
_TORCH: Leaves = {
    "Conv2D": {"kernel": (".weight", convolution_from_torch), "bias": (".bias", as_is)},
    "DepthwiseConv2D": {"kernel": (".weight", depthwise_to_keras), "bias": (".bias", as_is)},
    "Dense": {"kernel": (".weight", dense_from_torch), "bias": (".bias", as_is)},
    "LayerNormalization": _NORMALISATION,
    "BatchNormalization": {
        **_NORMALISATION,
        "moving_mean": (".running_mean", as_is),
        "moving_variance": (".running_var", as_is),
    },
}
_PADDLE: Leaves = {
    **_TORCH,
    "Conv2D": {"kernel": (".weight", convolution_from_paddle), "bias": (".bias", as_is)},
    "Dense": {"kernel": (".weight", dense_from_paddle), "bias": (".bias", as_is)},
    "BatchNormalization": {
        **_NORMALISATION,
        "moving_mean": ("._mean", as_is),
        "moving_variance": ("._variance", as_is),
    },
}
_PADDLE_STATIC: Leaves = {
    "Conv2D": {"kernel": ("_weights", convolution_from_paddle), "bias": ("_offset", as_is)},
    "DepthwiseConv2D": {"kernel": ("_weights", depthwise_to_keras)},
    "Dense": {"kernel": ("_weights", dense_from_paddle), "bias": ("_offset", as_is)},
    "BatchNormalization": {
        "gamma": ("_scale", as_is),
        "beta": ("_offset", as_is),
        "moving_mean": ("_mean", as_is),
        "moving_variance": ("_variance", as_is),
    },
}
LEAVES: Mapping[str, Leaves] = {
    "torch": _TORCH,
    "paddle": _PADDLE,
    "paddle_static": _PADDLE_STATIC,
}
"""Framework → kind of Keras layer → its weight → the leaf of the framework's key, the layout."""


def leaf_of(framework: str, kinds: Sequence[str], weight: str) -> tuple[str, Layout] | None:
    """Where a framework keeps one weight of a layer; None when no rule knows it.

    Args:
        framework: a key of `LEAVES`.
        kinds: names of the layer's class and of its bases, nearest first.
        weight: the weight's name in Keras, e.g. "kernel". One that is called "value" is
            all that its layer has, and the layer's prefix is its whole key.
    """
    if weight == "value":
        return "", as_is
    for kind in kinds:
        if kind in LEAVES[framework]:
            return LEAVES[framework][kind].get(weight)
    return None
