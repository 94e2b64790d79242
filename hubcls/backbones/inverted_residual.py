"""Networks of mobile blocks: MobileNet 1 to 3, EfficientNet, MixNet, ReXNet, PP-LCNet.

Which network it is follows from numbers alone. Layers are called as in timm's EfficientNet;
where timm calls those of one family otherwise, a rule of keys says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from hubcls.backbones.blocks import (
    Activation,
    Style,
    activated,
    classified,
    convolved,
    dense,
    divisible,
    globally_pooled,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.mobile_blocks import Block, Gate, mobile_block
from hubcls.backbones.mobile_names import Places, mobile_key_rules


@dataclass(frozen=True)
class Blocks:
    """Equal blocks in a row; only the first may shrink the image or widen the shortcut.

    Attributes:
        filters: channels of the shortcut, before scaling.
        num_blocks: blocks in the row, before scaling.
        kernel_sizes: of the depthwise convolutions, each on its part of the channels.
        strides: of the first block.
        expansion: how much wider than the block's input the depthwise layer is; 1 means
            that there is no expanding convolution.
        growth: channels that each further block adds to `filters`, before scaling.
        squeeze: how many channels share one inside of the gate; 0 is no gate.
        activation: the network's if None.
        splits: how many convolutions share the expansion, and the projection.
    """

    filters: float
    num_blocks: int = 1
    kernel_sizes: tuple[int, ...] = (3,)
    strides: int = 1
    expansion: float = 6.0
    growth: float = 0.0
    squeeze: int = 0
    activation: Activation | None = None
    splits: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class InvertedResidual:
    """A network of mobile blocks.

    Attributes:
        stem_filters: channels of the first convolution (3×3, stride 2).
        stages: rows of blocks; only a stage's first block shrinks the image.
        top_filters: channels of the last 1×1 convolution, the feature map's; 0 without.
        hidden_filters: width of the dense layer behind the pooling; 0 without.
        hidden_bias: whether this layer has a bias.
        width: factor on the channels of the stages.
        divisor: what their numbers are multiples of, as `divisible` rounds; 1 rounds to
            the nearest.
        depth: factor on the number of blocks.
        has_fixed_ends: whether the first and the last stage keep their number of blocks.
        dropout: rate before the original classifier.
        style: activation, padding and BatchNorm.
        gate: how blocks weigh channels.
        depthwise_activation: the one of depthwise layers; the block's if None.
        shortcut: which blocks have one: those whose output is as wide as the input; those
            where it is wider, too; none, and there projections have an activation as well.
        always_expands: whether blocks of expansion 1 have the expanding convolution.
        scales_expansion: whether the expanded channels are scaled from what they are at
            width 1, or expanded from the scaled ones.
    """

    stem_filters: int
    stages: tuple[tuple[Blocks, ...], ...]
    top_filters: int = 0
    hidden_filters: int = 0
    hidden_bias: bool = True
    width: float = 1.0
    divisor: int = 8
    depth: float = 1.0
    has_fixed_ends: bool = False
    dropout: float = 0.0
    style: Style = field(default_factory=Style)
    gate: Gate = field(default_factory=Gate)
    depthwise_activation: Activation | None = None
    shortcut: Literal["equal", "narrower", "none"] = "equal"
    always_expands: bool = False
    scales_expansion: bool = False

    def blocks(self) -> Iterator[list[Block]]:
        """The blocks of each stage, in order."""
        number, before, inputs = 0, 0.0, self.stem_filters
        for stage, rows in enumerate(self.stages):
            blocks: list[Block] = []
            for row in rows:
                for place in range(self._num_blocks(row, stage)):
                    filters = row.filters + place * row.growth
                    block = self._block(
                        row,
                        (stage, len(blocks), number),
                        strides=row.strides if place == 0 else 1,
                        before=before,
                        inputs=inputs,
                        filters=filters,
                    )
                    blocks.append(block)
                    number, before, inputs = number + 1, filters, block.filters
            yield blocks

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
                x = mobile_block(x, block, style, self.gate)
            outputs.append(x)
        if self.top_filters:
            convolution, normalisation = self._places().top
            x = convolved(x, self.top_filters, name=convolution)
            x = normalised(x, style, name=normalisation)
            outputs[-1] = activated(x, style.activation, name=normalisation)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        x = features
        if self.hidden_filters:
            x = globally_pooled(x, name="conv_head_pool")
            x = dense(x, self.hidden_filters, bias=self.hidden_bias, name="conv_head")
            x = activated(x, self.style.activation, name="conv_head")
        return classified(x, num_classes, name="classifier", dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, lukemelas' EfficientNet-PyTorch's, and PaddleClas' of each family."""
        return mobile_key_rules(self._places(), dropout=self.dropout)

    def _places(self) -> Places:
        # timm counts MobileNetV3's top among the stages, and calls what is behind the pool so.
        top = ("conv_head", "bn2")
        if self.hidden_filters:
            stage = f"blocks.{len(self.stages)}.0"
            top = (f"{stage}.conv", f"{stage}.bn1")
        return Places(tuple(tuple(blocks) for blocks in self.blocks()), top)

    def _num_blocks(self, row: Blocks, stage: int) -> int:
        if self.has_fixed_ends and stage in (0, len(self.stages) - 1):
            return row.num_blocks
        return math.ceil(self.depth * row.num_blocks)

    def _block(
        self,
        row: Blocks,
        place: tuple[int, int, int],
        *,
        strides: int,
        before: float,
        inputs: int,
        filters: float,
    ) -> Block:
        """A block from its input's channels, before scaling and really, and its output's."""
        expanded = inputs
        if row.expansion != 1:
            expanded = self._rounded(row.expansion * inputs)
            if self.scales_expansion:
                expanded = self._scaled(round(row.expansion * before))
        outputs = self._scaled(filters)
        activation = row.activation or self.style.activation
        is_kept = inputs == outputs or (self.shortcut == "narrower" and inputs < outputs)
        return Block(
            *place,
            kernel_sizes=row.kernel_sizes,
            strides=strides,
            expanded=expanded,
            squeezed=self.gate.width(inputs, expanded, row.squeeze),
            filters=outputs,
            activations=(
                activation,
                self.depthwise_activation or activation,
                activation if self.shortcut == "none" else "linear",
            ),
            splits=row.splits,
            is_separable=row.expansion == 1 and not self.always_expands,
            has_shortcut=self.shortcut != "none" and strides == 1 and is_kept,
        )

    def _scaled(self, filters: float) -> int:
        return self._rounded(self.width * filters)

    def _rounded(self, filters: float) -> int:
        return round(filters) if self.divisor == 1 else divisible(filters, self.divisor)
