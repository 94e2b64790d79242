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
Layout = Callable[[Array], Array]
Leaves = Mapping[str, Mapping[str, tuple[str, Layout]]]


def as_is(array: Array) -> Array:
    """The array itself."""
    return array


def oihw_to_hwio(array: Array) -> Array:
    """A convolution's kernel [O, I, h, w] as [h, w, I, O]."""
    return np.transpose(array, (2, 3, 1, 0))


def depthwise_to_keras(array: Array) -> Array:
    """A depthwise kernel [C, 1, h, w] as [h, w, C, 1]."""
    return np.transpose(array, (2, 3, 0, 1))


def output_input_to_input_output(array: Array) -> Array:
    """A dense kernel [O, I], or the same as a 1×1 convolution [O, I, 1, 1], as [I, O]."""
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    return np.transpose(array)


def bfloat16_to_float32(bits: Array) -> Array:
    """bfloat16 numbers, given as uint16 bits, in float32: its upper half, so exactly equal."""
    return (bits.astype("<u4") << 16).view("<f4")


TORCH_LEAVES: Leaves = {
    "Conv2D": {"kernel": (".weight", oihw_to_hwio), "bias": (".bias", as_is)},
    "DepthwiseConv2D": {"kernel": (".weight", depthwise_to_keras), "bias": (".bias", as_is)},
    "Dense": {"kernel": (".weight", output_input_to_input_output), "bias": (".bias", as_is)},
    "BatchNormalization": {
        "gamma": (".weight", as_is),
        "beta": (".bias", as_is),
        "moving_mean": (".running_mean", as_is),
        "moving_variance": (".running_var", as_is),
    },
}
"""Kind of Keras layer → its weight → the leaf of PyTorch's key, and the layout."""


def torch_leaf(kinds: Sequence[str], weight: str) -> tuple[str, Layout] | None:
    """Where PyTorch keeps one weight of a layer; None when no rule knows it.

    Args:
        kinds: names of the layer's class and of its bases, nearest first.
        weight: the weight's name in Keras, e.g. "kernel".
    """
    for kind in kinds:
        if kind in TORCH_LEAVES:
            return TORCH_LEAVES[kind].get(weight)
    return None
