"""Networks of inverted residual blocks: a narrow shortcut around a wide depthwise layer.

MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, section 3.3. Which network it is
follows from numbers alone. Layers are called as in timm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    classified,
    convolved,
    depthwise_convolved,
    divisible,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, listed


@dataclass(frozen=True)
class Stage:
    """Equal blocks in a row; only the first may shrink the image or widen the shortcut.

    Attributes:
        num_blocks: blocks in the row, before scaling.
        kernel_size: of the depthwise convolutions.
        strides: of the first block.
        expansion: how much wider than the shortcut the depthwise layer is; 1 means that
            there is no expanding convolution.
        filters: channels of the shortcut, before scaling.
    """

    num_blocks: int
    kernel_size: int
    strides: int
    expansion: int
    filters: int


@dataclass(frozen=True)
class Block:
    """One inverted residual block, with its place in the network."""

    name: str
    number: int
    kernel_size: int
    strides: int
    expansion: int
    filters: int


@dataclass(frozen=True)
class InvertedResidual:
    """An inverted residual network.

    Attributes:
        stem_filters: channels of the first convolution (3×3, stride 2).
        stages: the rows of blocks.
        top_filters: channels of the last 1×1 convolution: the feature map's.
        width: factor on the channels of the stages.
        depth: factor on the number of blocks of the inner stages.
        dropout: rate before the original classifier.
        style: activation, padding and BatchNorm.
    """

    stem_filters: int
    stages: tuple[Stage, ...]
    top_filters: int
    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.0
    style: Style = field(default_factory=Style)

    def blocks(self) -> Iterator[list[Block]]:
        """The blocks of each stage, in order."""
        number = 0
        for place, stage in enumerate(self.stages):
            is_outer = place in (0, len(self.stages) - 1)
            count = stage.num_blocks if is_outer else math.ceil(self.depth * stage.num_blocks)
            yield [
                Block(
                    name=f"blocks.{place}.{i}",
                    number=number + i,
                    kernel_size=stage.kernel_size,
                    strides=stage.strides if i == 0 else 1,
                    expansion=stage.expansion,
                    filters=divisible(self.width * stage.filters),
                )
                for i in range(count)
            ]
            number += count

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem and of every stage that ends before the image shrinks."""
        style = self.style
        x = convolved(x, self.stem_filters, 3, strides=2, padding=style.padding, name="conv_stem")
        x = activated(normalised(x, style, name="bn1"), style.activation, name="bn1")
        outputs = [x]
        for blocks in self.blocks():
            if blocks[0].strides == 1:
                outputs.pop()
            for block in blocks:
                x = _inverted_residual(x, block, style)
            outputs.append(x)
        x = convolved(x, self.top_filters, name="conv_head")
        outputs[-1] = activated(normalised(x, style, name="bn2"), style.activation, name="bn2")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="classifier", dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and those of lukemelas' EfficientNet-PyTorch."""
        return {"timm": KeyRules(), "EfficientNet-PyTorch": KeyRules(prefix=self._lukemelas())}

    def _lukemelas(self) -> Renaming:
        names = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head",
                 "bn2": "_bn1", "classifier": "_fc"}  # fmt: skip
        parts = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
        for block in (block for blocks in self.blocks() for block in blocks):
            own = _SEPARABLE if block.expansion == 1 else _EXPANDED
            for part, theirs in zip(own, parts[-len(own) :], strict=True):
                names[f"{block.name}.{part}"] = f"_blocks.{block.number}.{theirs}"
        return listed(names)


_EXPANDED = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
_SEPARABLE = ("conv_dw", "bn1", "conv_pw", "bn2")


def _inverted_residual(x: Any, block: Block, style: Style) -> Any:
    shortcut = x
    names = iter(_SEPARABLE if block.expansion == 1 else _EXPANDED)
    if block.expansion != 1:
        x = convolved(x, block.expansion * x.shape[-1], name=f"{block.name}.{next(names)}")
        x = _normalised_and_activated(x, style, name=f"{block.name}.{next(names)}")
    x = depthwise_convolved(
        x,
        block.kernel_size,
        strides=block.strides,
        padding=style.padding,
        name=f"{block.name}.{next(names)}",
    )
    x = _normalised_and_activated(x, style, name=f"{block.name}.{next(names)}")
    x = convolved(x, block.filters, name=f"{block.name}.{next(names)}")
    x = normalised(x, style, name=f"{block.name}.{next(names)}")
    if block.strides == 1 and shortcut.shape[-1] == block.filters:
        x = keras.layers.Add(name=f"{block.name}.add")([shortcut, x])
    return x


def _normalised_and_activated(x: Any, style: Style, *, name: str) -> Any:
    return activated(normalised(x, style, name=name), style.activation, name=name)
