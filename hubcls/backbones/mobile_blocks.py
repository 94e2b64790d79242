"""The block of all mobile networks: expand, filter each channel by itself, weigh, project.

MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, section 3.3; weighing as in MobileNetV3,
Howard et al. 2019, arXiv:1905.02244, section 5.3; kernels of several sizes as in MixNet, Tan
and Le 2019, arXiv:1907.09595, section 3.1. Without the expanding convolution it is that of
MobileNet, Howard et al. 2017, arXiv:1704.04861, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras

from hubcls.backbones.blocks import (
    Activation,
    Style,
    activated,
    convolved,
    depthwise_convolved,
    divisible,
    globally_pooled,
    normalised,
)
from hubcls.backbones.layers import ResidualSum

Role = Literal[
    "expand",
    "expand_bn",
    "depthwise",
    "depthwise_bn",
    "reduce",
    "reduce_bn",
    "restore",
    "project",
    "project_bn",
]
_SHARED: Mapping[Role, str] = {
    "depthwise": "conv_dw",
    "reduce": "se.conv_reduce",
    "reduce_bn": "se.bn",
    "restore": "se.conv_expand",
}
_EXPANDED: Mapping[Role, str] = {
    **_SHARED,
    "expand": "conv_pw",
    "expand_bn": "bn1",
    "depthwise_bn": "bn2",
    "project": "conv_pwl",
    "project_bn": "bn3",
}
_SEPARABLE: Mapping[Role, str] = {
    **_SHARED,
    "depthwise_bn": "bn1",
    "project": "conv_pw",
    "project_bn": "bn2",
}


@dataclass(frozen=True)
class Gate:
    """How channels are weighed: squeeze-and-excitation, Hu et al. 2018, arXiv:1709.01507.

    Attributes:
        of_expanded: whether the squeezed channels are a share of the expanded ones, or of
            the block's input's.
        divisor: what their number is a multiple of; 1 rounds down.
        has_bn: whether a BatchNorm stands behind the first layer.
        activation: between the two layers.
        output: behind them.
        is_early: whether weighing comes before the depthwise layer's activation.
    """

    of_expanded: bool = True
    divisor: int = 1
    has_bn: bool = False
    activation: Activation = "relu"
    output: Activation = "sigmoid"
    is_early: bool = False

    def width(self, inputs: int, expanded: int, share: int) -> int:
        """The number of squeezed channels, one for `share` others; 0 without weighing."""
        if not share:
            return 0
        channels = expanded if self.of_expanded else inputs
        if self.divisor == 1:
            return channels // share
        return divisible(channels / share, self.divisor)


@dataclass(frozen=True)
class Block:
    """One block with its place in the network; widths are numbers of channels.

    Attributes:
        stage: number of its stage.
        place: its number in the stage.
        number: its number in the network.
        kernel_sizes: of the depthwise convolutions, each on its part of the channels.
        strides: of the depthwise convolutions.
        expanded: width of the depthwise layer.
        squeezed: width inside of the gate; 0 without one.
        filters: width of the output.
        activations: behind the expanding, the depthwise and the projecting convolution.
        splits: how many convolutions share the expansion, and the projection.
        is_separable: whether there is no expanding convolution.
        has_shortcut: whether the input is added to the first channels of the output.
    """

    stage: int
    place: int
    number: int
    kernel_sizes: tuple[int, ...]
    strides: int
    expanded: int
    squeezed: int
    filters: int
    activations: tuple[Activation, Activation, Activation]
    splits: tuple[int, int]
    is_separable: bool
    has_shortcut: bool

    @property
    def name(self) -> str:
        """What the names of its layers begin with."""
        return f"blocks.{self.stage}.{self.place}"

    def layer(self, role: Role) -> str:
        """The name of one of its layers."""
        return f"{self.name}.{(_SEPARABLE if self.is_separable else _EXPANDED)[role]}"

    def layers(self) -> dict[Role, str]:
        """The names of all layers that it could have."""
        return {role: self.layer(role) for role in (_SEPARABLE if self.is_separable else _EXPANDED)}


def mobile_block(x: Any, block: Block, style: Style, gate: Gate) -> Any:
    """The block on feature maps [B, h, w, C]."""
    shortcut = x
    before, between, behind = block.activations
    if not block.is_separable:
        x = _pointwise(x, block.expanded, block.splits[0], name=block.layer("expand"))
        x = normalised(x, style, name=block.layer("expand_bn"))
        x = activated(x, before, name=block.layer("expand_bn"))
    x = _depthwise(x, block, style)
    x = normalised(x, style, name=block.layer("depthwise_bn"))
    if gate.is_early:
        x = activated(_weighed(x, block, style, gate), between, name=block.layer("depthwise_bn"))
    else:
        x = _weighed(activated(x, between, name=block.layer("depthwise_bn")), block, style, gate)
    x = _pointwise(x, block.filters, block.splits[1], name=block.layer("project"))
    x = normalised(x, style, name=block.layer("project_bn"))
    x = activated(x, behind, name=block.layer("project_bn"))
    return _joined(x, shortcut, name=f"{block.name}.add") if block.has_shortcut else x


def _joined(x: Any, shortcut: Any, *, name: str) -> Any:
    missing = x.shape[-1] - shortcut.shape[-1]
    if missing:  # ReXNet, Han et al. 2020, arXiv:2007.00992: new channels stand behind old ones
        shortcut = keras.ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, missing)))
    return ResidualSum(name=name)([shortcut, x])


def _pointwise(x: Any, filters: int, splits: int, *, name: str) -> Any:
    def one(part: Any, place: int, part_name: str) -> Any:
        return convolved(part, _parts(filters, splits)[place], name=part_name)

    return _by_parts(x, splits, one, name=name)


def _depthwise(x: Any, block: Block, style: Style) -> Any:
    def one(part: Any, place: int, part_name: str) -> Any:
        return depthwise_convolved(
            part,
            block.kernel_sizes[place],
            strides=block.strides,
            padding=style.padding,
            name=part_name,
        )

    return _by_parts(x, len(block.kernel_sizes), one, name=block.layer("depthwise"))


def _by_parts(x: Any, count: int, one: Callable[[Any, int, str], Any], *, name: str) -> Any:
    """A layer for each part of the channels: the layer itself where there is one part."""
    if count == 1:
        return one(x, 0, name)
    ends = _ends(_parts(x.shape[-1], count))
    outputs = [
        one(part, place, f"{name}.{place}")
        for place, part in enumerate(keras.ops.split(x, ends, axis=-1))
    ]
    return keras.layers.Concatenate(name=f"{name}_joined")(outputs)


def _parts(channels: int, count: int) -> list[int]:
    """Channels of each part: equal, what remains with the first."""
    share, rest = divmod(channels, count)
    return [share + rest, *[share] * (count - 1)]


def _ends(parts: Sequence[int]) -> list[int]:
    return [sum(parts[: place + 1]) for place in range(len(parts) - 1)]


def _weighed(x: Any, block: Block, style: Style, gate: Gate) -> Any:
    if not block.squeezed:
        return x
    reduce, restore = block.layer("reduce"), block.layer("restore")
    weights = globally_pooled(x, keepdims=True, name=f"{block.name}.se.pool")
    weights = convolved(weights, block.squeezed, bias=True, name=reduce)
    if gate.has_bn:
        weights = normalised(weights, style, name=block.layer("reduce_bn"))
    weights = activated(weights, gate.activation, name=reduce)
    weights = convolved(weights, x.shape[-1], bias=True, name=restore)
    weights = activated(weights, gate.output, name=restore)
    return keras.layers.Multiply(name=f"{block.name}.se.multiply")([x, weights])
