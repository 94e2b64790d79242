"""Networks of inverted residual blocks: a narrow shortcut around a wide depthwise layer.

MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, section 3.3. Which network it is
follows from numbers alone; EfficientNet-Lite is the first row.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    LayerStyle,
    activated,
    convolution,
    depthwise_convolution,
    divisible,
    normalised,
    pointwise,
)


@dataclass(frozen=True)
class Stage:
    """Equal blocks in a row; only the first may shrink the image or widen the shortcut.

    Attributes:
        num_blocks: blocks in the row.
        kernel_size: of the depthwise convolutions.
        strides: of the first block.
        expansion: how much wider than the shortcut the depthwise layer is; 1 means that
            there is no expanding convolution.
        filters: channels of the shortcut.
    """

    num_blocks: int
    kernel_size: int
    strides: int
    expansion: int
    filters: int


@dataclass(frozen=True)
class Block:
    """One inverted residual block, with its place in the network.

    Attributes:
        stage: the stage's number, from 0.
        place: the block's number in its stage, from 0.
        kernel_size: of the depthwise convolution.
        strides: of the depthwise convolution.
        expansion: how much wider than the input the depthwise layer is.
        input_filters: channels that come in.
        filters: channels that go out.
    """

    stage: int
    place: int
    kernel_size: int
    strides: int
    expansion: int
    input_filters: int
    filters: int

    @property
    def name(self) -> str:
        """What the names of its layers begin with: "block2a" is the first of stage 2."""
        return f"block{self.stage + 1}{string.ascii_lowercase[self.place]}"

    @property
    def has_shortcut(self) -> bool:
        """Whether the input is added to the output."""
        return self.strides == 1 and self.input_filters == self.filters


@dataclass(frozen=True)
class InvertedResidual:
    """An inverted residual network; every number is the final one, nothing is scaled later.

    Attributes:
        stem_filters: channels of the first convolution (3×3, stride 2).
        stages: the rows of blocks.
        top_filters: channels of the last 1×1 convolution: the feature map's.
        dropout: rate before the original classifier.
        style: activation and BatchNorm.
    """

    stem_filters: int
    stages: tuple[Stage, ...]
    top_filters: int
    dropout: float = 0.0
    style: LayerStyle = field(default_factory=LayerStyle)

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        channels = self.stem_filters
        for number, stage in enumerate(self.stages):
            for place in range(stage.num_blocks):
                strides = stage.strides if place == 0 else 1
                yield Block(
                    stage=number,
                    place=place,
                    kernel_size=stage.kernel_size,
                    strides=strides,
                    expansion=stage.expansion,
                    input_filters=channels,
                    filters=stage.filters,
                )
                channels = stage.filters

    def feature_map(self, x: Any) -> Any:
        """The last feature map [B, h, w, top_filters] of normalised images [B, H, W, 3]."""
        x = convolution(x, self.stem_filters, kernel_size=3, strides=2, name="stem_conv")
        x = activated(normalised(x, self.style, name="stem"), self.style, name="stem")
        for block in self.blocks():
            x = _inverted_residual(x, block, self.style)
        x = pointwise(x, self.top_filters, self.style, name="top")
        return activated(x, self.style, name="top")

    def logits(self, feature_map: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        x = keras.layers.GlobalAveragePooling2D(name="top_pool")(feature_map)
        x = keras.layers.Dropout(self.dropout, name="top_dropout")(x)
        return keras.layers.Dense(num_classes, dtype="float32", name="predictions")(x)

    def key_prefixes(self) -> dict[str, dict[str, str]]:
        """For each naming in `KEY_RULES`: layer's name → what its keys begin with."""
        return {naming: rule(self) for naming, rule in KEY_RULES.items()}


def efficientnet_lite(
    width: float = 1.0, depth: float = 1.0, dropout: float = 0.2
) -> InvertedResidual:
    """EfficientNet-Lite, a network without squeeze-and-excitation for phones.

    Google's tpu repository, models/official/efficientnet/lite, 2020; the compound
    scaling is EfficientNet's, Tan and Le 2019, arXiv:1905.11946. Stem and top keep their
    width, the first and the last stage their depth.

    Args:
        width: factor on the channels of the stages.
        depth: factor on the number of blocks of the inner stages.
        dropout: rate before the original classifier.
    """
    base = (
        Stage(num_blocks=1, kernel_size=3, strides=1, expansion=1, filters=16),
        Stage(num_blocks=2, kernel_size=3, strides=2, expansion=6, filters=24),
        Stage(num_blocks=2, kernel_size=5, strides=2, expansion=6, filters=40),
        Stage(num_blocks=3, kernel_size=3, strides=2, expansion=6, filters=80),
        Stage(num_blocks=3, kernel_size=5, strides=1, expansion=6, filters=112),
        Stage(num_blocks=4, kernel_size=5, strides=2, expansion=6, filters=192),
        Stage(num_blocks=1, kernel_size=3, strides=1, expansion=6, filters=320),
    )
    outer = (0, len(base) - 1)
    stages = tuple(
        Stage(
            num_blocks=stage.num_blocks if i in outer else math.ceil(depth * stage.num_blocks),
            kernel_size=stage.kernel_size,
            strides=stage.strides,
            expansion=stage.expansion,
            filters=divisible(width * stage.filters),
        )
        for i, stage in enumerate(base)
    )
    return InvertedResidual(stem_filters=32, stages=stages, top_filters=1280, dropout=dropout)


def timm_prefixes(network: InvertedResidual) -> dict[str, str]:
    """Layer's name → prefix of its keys in timm: "blocks.1.0.conv_pw"."""
    prefixes = {
        "stem_conv": "conv_stem",
        "stem_bn": "bn1",
        "top_conv": "conv_head",
        "top_bn": "bn2",
        "predictions": "classifier",
    }
    expanded = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")
    separable = ("conv_dw", "bn1", "conv_pw", "bn2")
    for block in network.blocks():
        parts = separable if block.expansion == 1 else expanded
        for layer, part in zip(_layer_names(block), parts, strict=True):
            prefixes[layer] = f"blocks.{block.stage}.{block.place}.{part}"
    return prefixes


def lukemelas_prefixes(network: InvertedResidual) -> dict[str, str]:
    """Layer's name → prefix of its keys in EfficientNet-PyTorch: "_blocks.1._expand_conv"."""
    prefixes = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
        "predictions": "_fc",
    }
    parts = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
    for number, block in enumerate(network.blocks()):
        present = parts[2:] if block.expansion == 1 else parts
        for layer, part in zip(_layer_names(block), present, strict=True):
            prefixes[layer] = f"_blocks.{number}.{part}"
    return prefixes


KEY_RULES: Mapping[str, Callable[[InvertedResidual], dict[str, str]]] = {
    "timm": timm_prefixes,
    "lukemelas": lukemelas_prefixes,
}
"""Naming of a checkpoint's keys → for a network, layer's name → prefix of its keys."""


def _inverted_residual(x: Any, block: Block, style: LayerStyle) -> Any:
    shortcut = x
    if block.expansion != 1:
        name = f"{block.name}_expand"
        x = pointwise(x, block.expansion * block.input_filters, style, name=name)
        x = activated(x, style, name=name)
    name = f"{block.name}_depthwise"
    x = depthwise_convolution(
        x, kernel_size=block.kernel_size, strides=block.strides, name=f"{name}_conv"
    )
    x = activated(normalised(x, style, name=name), style, name=name)
    x = pointwise(x, block.filters, style, name=f"{block.name}_project")
    if block.has_shortcut:
        x = keras.layers.Add(name=f"{block.name}_add")([shortcut, x])
    return x


def _layer_names(block: Block) -> list[str]:
    """The block's layers with weights, in order."""
    parts = ["depthwise", "project"] if block.expansion == 1 else ["expand", "depthwise", "project"]
    return [f"{block.name}_{part}_{kind}" for part in parts for kind in ("conv", "bn")]
