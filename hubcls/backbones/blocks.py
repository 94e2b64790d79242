"""The pieces of all convolutional networks, as functions on Keras tensors [B, H, W, C].

Every function takes the name of what it makes: layers with weights are called exactly so,
those without get an ending of their own ("_pad", "_activation").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras

from hubcls.backbones.layers import GroupedConv2D, HardSigmoid

# A number is that many zeros on every side.
Padding = Literal["symmetric", "same", "valid"] | int
Activation = Literal[
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "silu",
    "hard_silu",
    "gelu",
    "sigmoid",
    "hard_sigmoid",
    "hard_sigmoid_of_paddle",
    "clip_to_one",
]
# Slope and offset: PaddlePaddle's old default, and GhostNet's gate there.
_GATES = {"hard_sigmoid_of_paddle": (0.2, 0.5), "clip_to_one": (1.0, 0.0)}


@dataclass(frozen=True)
class Style:
    """What all layers of one network have in common.

    Attributes:
        activation: the non-linearity.
        padding: "symmetric" is PyTorch's and PaddlePaddle's, "same" is TensorFlow's with
            the odd pixel at the end; they differ wherever a layer shrinks the image.
        bn_epsilon: BatchNorm's epsilon; a checkpoint is right for one value only.
        bn_momentum: share of the running statistics that one step keeps.
    """

    activation: Activation = "relu"
    padding: Padding = "symmetric"
    bn_epsilon: float = 1e-5
    bn_momentum: float = 0.9


def convolved(
    x: Any,
    filters: int,
    kernel_size: int | tuple[int, int] = 1,
    *,
    name: str,
    strides: int = 1,
    groups: int = 1,
    bias: bool = False,
    padding: Padding = "symmetric",
) -> Any:
    """A convolution."""
    kind = keras.layers.Conv2D if groups == 1 else GroupedConv2D
    x, rule = _padded(x, kernel_size, strides, padding, name=name)
    return kind(
        filters,
        kernel_size,
        strides=strides,
        padding=rule,
        groups=groups,
        use_bias=bias,
        kernel_initializer=_he_by_outputs(),
        name=name,
    )(x)


def depthwise_convolved(
    x: Any,
    kernel_size: int | tuple[int, int],
    *,
    name: str,
    strides: int = 1,
    dilation: int = 1,
    bias: bool = False,
    padding: Padding = "symmetric",
) -> Any:
    """A convolution of each channel by itself; a dilated one has stride 1."""
    x, rule = _padded(x, kernel_size, strides, padding, name=name)
    return keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=strides,
        padding=rule,
        dilation_rate=dilation,
        use_bias=bias,
        depthwise_initializer=_he_by_outputs(),
        name=name,
    )(x)


def convolved_and_normalised(
    x: Any,
    filters: int | None,
    kernel_size: int | tuple[int, int],
    style: Style,
    *,
    names: tuple[str, str],
    strides: int = 1,
    groups: int = 1,
    activation: Activation | None = None,
) -> Any:
    """A convolution, its BatchNorm and a non-linearity.

    Args:
        x: feature maps.
        filters: channels that come out; None convolves each channel by itself.
        kernel_size: the window's sides.
        style: padding and BatchNorm's numbers; the non-linearity where none is named.
        names: the convolution's and the BatchNorm's.
        strides: the window's step.
        groups: of channels that do not see each other.
        activation: another non-linearity than the style's.
    """
    conv, bn = names
    kind = style.activation if activation is None else activation
    if filters is None:
        x = depthwise_convolved(x, kernel_size, strides=strides, padding=style.padding, name=conv)
    else:
        x = convolved(
            x,
            filters,
            kernel_size,
            strides=strides,
            groups=groups,
            padding=style.padding,
            name=conv,
        )
    return activated(normalised(x, style, name=bn), kind, name=bn)


def normalised(x: Any, style: Style, *, name: str) -> Any:
    """BatchNorm."""
    return keras.layers.BatchNormalization(
        epsilon=style.bn_epsilon, momentum=style.bn_momentum, name=name
    )(x)


def activated(x: Any, kind: Activation, *, name: str) -> Any:
    """A non-linearity, called `<name>_activation`; "linear" adds no layer."""
    if kind == "linear":
        return x
    if kind == "leaky_relu":
        return keras.layers.LeakyReLU(0.01, name=f"{name}_activation")(x)
    if kind in _GATES:
        return HardSigmoid(*_GATES[kind], name=f"{name}_activation")(x)
    return keras.layers.Activation(kind, name=f"{name}_activation")(x)


def max_pooled(
    x: Any, size: int, strides: int, *, name: str, padding: int = 0, ceil: bool = False
) -> Any:
    """The largest of each window.

    Args:
        x: feature maps.
        size: the window's side.
        strides: its step.
        name: of the layer.
        padding: rows and columns of minus infinity around the map.
        ceil: whether a last window may reach over the edge.
    """
    before, after = _pool_padding(x, size, strides, padding, ceil)
    if any(before + after):
        # Not zeros: SiLU and its like leave numbers below them.
        sides = ((0, 0), *_pairs(before, after), (0, 0))
        x = keras.ops.pad(x, sides, constant_values=float("-inf"))
    return keras.layers.MaxPooling2D(size, strides, padding="valid", name=name)(x)


def average_pooled(
    x: Any, size: int, strides: int, *, name: str, padding: int = 0, ceil: bool = False
) -> Any:
    """The mean of each window; zeros of the padding count, what reaches over the edge not.

    Args:
        x: feature maps.
        size: the window's side.
        strides: its step.
        name: of the layer.
        padding: rows and columns of zeros around the map.
        ceil: whether a last window may reach over the edge; for windows side by side.
    """
    if padding:
        x = keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    rule = "same" if ceil else "valid"
    return keras.layers.AveragePooling2D(size, strides, padding=rule, name=name)(x)


def globally_pooled(x: Any, *, name: str, keepdims: bool = False) -> Any:
    """The mean of each channel [B, C]."""
    return keras.layers.GlobalAveragePooling2D(keepdims=keepdims, name=name)(x)


def squeezed_and_excited(
    x: Any,
    filters: int,
    *,
    names: tuple[str, str],
    gate: Activation = "sigmoid",
    activation: Activation = "relu",
) -> Any:
    """Feature maps, each channel times a gate computed from the means of all channels.

    Squeeze-and-excitation, Hu et al. 2018, arXiv:1709.01507, section 3.

    Args:
        x: feature maps.
        filters: channels between the two 1×1 convolutions.
        names: of the two, which have biases.
        gate: what makes shares of the second one's output.
        activation: between the two.
    """
    squeeze, excite = names
    gates = globally_pooled(x, name=f"{squeeze}_pool", keepdims=True)
    gates = convolved(gates, filters, bias=True, name=squeeze)
    gates = activated(gates, activation, name=squeeze)
    gates = activated(convolved(gates, x.shape[-1], bias=True, name=excite), gate, name=excite)
    return keras.layers.Multiply(name=f"{excite}_gate")([x, gates])


def dense(x: Any, units: int, *, name: str, bias: bool = True) -> Any:
    """A dense layer on the last axis."""
    initializer = keras.initializers.TruncatedNormal(stddev=0.02)
    return keras.layers.Dense(units, use_bias=bias, kernel_initializer=initializer, name=name)(x)


def classified(x: Any, num_classes: int, *, name: str, dropout: float = 0.0) -> Any:
    """Logits of feature maps or vectors, float32 [B, num_classes]."""
    if len(x.shape) == 4:
        x = globally_pooled(x, name=f"{name}_pool")
    if dropout:
        x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return keras.layers.Dense(num_classes, dtype="float32", name=name)(x)


def divisible(filters: float, divisor: int = 8) -> int:
    """The multiple of `divisor` nearest to `filters`, but never below 90 % of it.

    MobileNetV2's `_make_divisible`, which most mobile networks share.
    """
    nearest = max(divisor, int(filters + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * filters else nearest


def _padded(
    x: Any,
    kernel_size: int | tuple[int, int],
    strides: int,
    padding: Padding,
    *,
    name: str,
) -> tuple[Any, str]:
    """The map with explicit zeros where Keras' own padding would lie otherwise."""
    sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
    if isinstance(padding, int):
        return keras.layers.ZeroPadding2D(padding, name=f"{name}_pad")(x), "valid"
    if padding != "symmetric" or max(sides) == 1:
        return x, "same" if padding == "same" else "valid"
    if strides == 1 and all(side % 2 for side in sides):
        return x, "same"
    rows, columns = ((side - 1) // 2 for side in sides)
    return keras.layers.ZeroPadding2D((rows, columns), name=f"{name}_pad")(x), "valid"


def _pool_padding(
    x: Any, size: int, strides: int, padding: int, ceil: bool
) -> tuple[list[int], list[int]]:
    """Rows and columns to add before and after."""
    after = [padding, padding]
    if ceil:
        for axis in (0, 1):
            length = x.shape[1 + axis] + 2 * padding
            steps = -(-(length - size) // strides)
            # PyTorch drops a window that would start in the padding behind the map.
            if steps * strides >= length - padding:
                steps -= 1
            after[axis] += max(steps * strides + size - length, 0)
    return [padding, padding], after


def _pairs(before: list[int], after: list[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    return (before[0], after[0]), (before[1], after[1])


def _he_by_outputs() -> keras.initializers.Initializer:
    # A new object for each layer: one object draws the same numbers every time.
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="uniform")
