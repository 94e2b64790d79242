"""The pieces of mobile networks, as functions on Keras tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class LayerStyle:
    """What all layers of one network have in common.

    Attributes:
        max_activation: where the rectifier saturates; 6 is ReLU6.
        bn_epsilon: BatchNorm's epsilon; a checkpoint is right for one value only.
        bn_momentum: share of the running statistics that one step keeps.
    """

    max_activation: float = 6.0
    bn_epsilon: float = 1e-3
    bn_momentum: float = 0.99


def pointwise(x: Any, filters: int, style: LayerStyle, *, name: str) -> Any:
    """1×1 convolution and BatchNorm, without activation."""
    return normalised(convolution(x, filters, kernel_size=1, name=f"{name}_conv"), style, name=name)


def convolution(x: Any, filters: int, *, kernel_size: int, strides: int = 1, name: str) -> Any:
    """A convolution without bias, padded as TensorFlow pads: the odd pixel at the end."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_he_by_outputs(),
        name=name,
    )(x)


def depthwise_convolution(x: Any, *, kernel_size: int, strides: int, name: str) -> Any:
    """A depthwise convolution without bias, padded as TensorFlow pads."""
    return keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        depthwise_initializer=_he_by_outputs(),
        name=name,
    )(x)


def normalised(x: Any, style: LayerStyle, *, name: str) -> Any:
    """BatchNorm, called `<name>_bn`."""
    return keras.layers.BatchNormalization(
        epsilon=style.bn_epsilon, momentum=style.bn_momentum, name=f"{name}_bn"
    )(x)


def activated(x: Any, style: LayerStyle, *, name: str) -> Any:
    """The network's non-linearity, called `<name>_activation`."""
    return keras.layers.ReLU(max_value=style.max_activation, name=f"{name}_activation")(x)


def divisible(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `filters`, but never below 90 % of it.

    MobileNetV2's `_make_divisible`, which most mobile networks share.
    """
    nearest = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * filters else nearest


def _he_by_outputs() -> keras.initializers.Initializer:
    # A new object for each layer: one object draws the same numbers every time.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
