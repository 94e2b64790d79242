"""Residual networks: ResNet and what grew out of it, as one graph that numbers configure.

ResNet (He et al. 2015, arXiv:1512.03385) with the step in the 3×3 convolution, its
pre-activated form (He et al. 2016, arXiv:1603.05027), stems and shortcuts c and d (He et
al. 2018, arXiv:1812.01187, section 4), ResNeXt (Xie et al. 2016, arXiv:1611.05431),
squeeze-and-excitation (Hu et al. 2017, arXiv:1709.01507), RegNetX (Radosavovic et al. 2020,
arXiv:2003.13678), Res2Net and ResNeSt (residual_blocks.py), and ResNet as ACNet leaves it
(Ding et al. 2019, arXiv:1908.03930). Layers are called as in timm's ResNet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import keras

from hubcls.backbones.blocks import (
    Activation,
    Style,
    activated,
    average_pooled,
    classified,
    convolved,
    convolved_and_normalised,
    max_pooled,
    normalised,
    squeezed_and_excited,
)
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.layers import ResidualSum
from hubcls.backbones.residual_blocks import (
    MultiScale,
    SplitAttention,
    multi_scale,
    split_attention,
)
from hubcls.backbones.residual_names import NamedParts, key_rules, stem_layers


@dataclass(frozen=True)
class Stem:
    """The convolutions before the first stage.

    Attributes:
        filters: channels of each; several are 3×3.
        kernel_size: of the first.
        strides: of the first; 1 leaves small pictures as large as they are.
        is_pooled: whether a max-pool halves the map again.
    """

    filters: tuple[int, ...] = (64,)
    kernel_size: int = 7
    strides: int = 2
    is_pooled: bool = True


@dataclass(frozen=True)
class Shortcut:
    """What stands beside a block whose input has another shape than its output.

    Attributes:
        is_projected: a convolution; else every second pixel, zeros behind the channels (option A
            of ResNet's section 3.3).
        kernel_size: of the projection where the map shrinks; SENet-154 has 3.
        is_pooled: means of 2×2 shrink the map instead of the projection's stride (variant d).
        is_always_first: the network's first block has one even if the shapes agree, as
            PaddlePaddle's networks of basic blocks do.
    """

    is_projected: bool = True
    kernel_size: int = 1
    is_pooled: bool = False
    is_always_first: bool = False


@dataclass(frozen=True)
class Residual:
    """A residual network. Tuples have one entry a stage.

    Attributes:
        depths: blocks.
        widths: channels inside a block.
        filters: channels between blocks.
        groups: of the 3×3 convolutions inside bottlenecks.
        block: "basic" is two 3×3 convolutions, "bottleneck" a 3×3 between two 1×1.
        stem: before the first stage.
        shortcut: where shapes differ.
        reduction: how much narrower than `filters` squeeze-and-excitation is; None without.
        multi_scale: Res2Net's form of the middle convolution.
        split_attention: ResNeSt's form of it.
        is_preactivated: BatchNorm and non-linearity stand before each convolution.
        is_narrow: bottlenecks begin with half the width, as SENet-154's do.
        is_fused: convolutions larger than 1×1 have a bias and no BatchNorm, for it has been
            multiplied into them.
        dropout: rate before the original classifier.
        style: activation and BatchNorm.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    filters: tuple[int, ...] = (256, 512, 1024, 2048)
    groups: tuple[int, ...] = (1, 1, 1, 1)
    block: Literal["basic", "bottleneck"] = "bottleneck"
    stem: Stem = field(default_factory=Stem)
    shortcut: Shortcut = field(default_factory=Shortcut)
    reduction: int | None = None
    multi_scale: MultiScale | None = None
    split_attention: SplitAttention | None = None
    is_preactivated: bool = False
    is_narrow: bool = False
    is_fused: bool = False
    dropout: float = 0.0
    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        """Refuse numbers that make no network.

        Raises:
            ValueError: the tuples have different lengths, or something is asked of a
                pre-activated network that only the others have.
        """
        lengths = {len(self.depths), len(self.widths), len(self.filters), len(self.groups)}
        if len(lengths) > 1:
            raise ValueError("depths, widths, filters and groups need one entry a stage each")
        is_plain = not (self.reduction or self.multi_scale or self.split_attention)
        if self.is_preactivated and not (is_plain and len(self.stem.filters) == 1):
            raise ValueError("a pre-activated network has one stem convolution and plain blocks")

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem, before its pool, and of every stage."""
        x = self._stem(x)
        outputs = [x]
        if self.stem.is_pooled:
            x = max_pooled(x, 3, 2, padding=1, name="maxpool")
        for blocks in self._blocks():
            for block in blocks:
                x = self._preactivated(x, block) if self.is_preactivated else self._block(x, block)
            outputs.append(x)
        if self.is_preactivated:
            outputs[-1] = self._normalised(x, name="norm")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="fc", dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """The names of timm's, PaddleClas' and PaddlePaddle's networks of this graph."""
        return key_rules(
            NamedParts(
                depths=self.depths,
                num_stem_convolutions=len(self.stem.filters),
                has_pooled_shortcuts=self.shortcut.is_pooled,
                dropout=self.dropout,
            )
        )

    def _blocks(self) -> Iterator[list[_Block]]:
        numbers = zip(self.depths, self.widths, self.filters, self.groups, strict=True)
        for stage, (depth, width, filters, groups) in enumerate(numbers, start=1):
            is_small = self.stem.is_pooled or self.stem.strides == 1
            strides = 1 if stage == 1 and is_small else 2
            yield [
                _Block(
                    name=f"layer{stage}.{place}",
                    width=width,
                    filters=filters,
                    groups=groups,
                    strides=1 if place else strides,
                    is_first=place == 0,
                )
                for place in range(depth)
            ]

    def _stem(self, x: Any) -> Any:
        layers = stem_layers(len(self.stem.filters))
        for number, (filters, names) in enumerate(zip(self.stem.filters, layers, strict=True)):
            one = _Convolution(
                names,
                filters,
                kernel_size=3 if number else self.stem.kernel_size,
                strides=1 if number else self.stem.strides,
            )
            if self.is_preactivated:
                return convolved(x, filters, one.kernel_size, strides=one.strides, name=names[0])
            x = self._unit(x, one, self.style.activation)
        return x

    def _block(self, x: Any, block: _Block) -> Any:
        shortcut = self._projected(x, block) if self._wants_projection(x, block) else x
        *first, last = self._convolutions(block)
        for one in first:
            if one.kernel_size == 3 and self.multi_scale:
                x = multi_scale(x, self.multi_scale, self.style, name=block.name,
                                strides=block.strides, is_first=block.is_first)  # fmt: skip
            elif one.kernel_size == 3 and self.split_attention:
                x = split_attention(x, self.split_attention, self.style, name=block.name,
                                    strides=block.strides, groups=block.groups)  # fmt: skip
            else:
                x = self._unit(x, one, self.style.activation)
        x = self._unit(x, last, "linear")
        if self.reduction is not None:
            names = (f"{block.name}.se.fc1", f"{block.name}.se.fc2")
            x = squeezed_and_excited(x, block.filters // self.reduction, names=names)
        x = ResidualSum(name=f"{block.name}.add")([shortcut, x])
        return activated(x, self.style.activation, name=block.name)

    def _preactivated(self, x: Any, block: _Block) -> Any:
        shortcut, wants_projection = x, self._wants_projection(x, block)
        for one in self._convolutions(block):
            conv, bn = one.names
            x = self._normalised(x, name=bn)
            if wants_projection:
                shortcut, wants_projection = self._projected(x, block), False
            x = convolved(x, one.filters, one.kernel_size, strides=one.strides, name=conv)
        return ResidualSum(name=f"{block.name}.add")([shortcut, x])

    def _convolutions(self, block: _Block) -> list[_Convolution]:
        names = [(f"{block.name}.conv{i}", f"{block.name}.bn{i}") for i in (1, 2, 3)]
        if self.block == "basic":
            return [
                _Convolution(names[0], block.width, 3, block.strides),
                _Convolution(names[1], block.filters, 3),
            ]
        narrow = block.width // 2 if self.is_narrow else block.width
        return [
            _Convolution(names[0], narrow),
            _Convolution(names[1], block.width, 3, block.strides, block.groups),
            _Convolution(names[2], block.filters),
        ]

    def _wants_projection(self, x: Any, block: _Block) -> bool:
        if block.name == "layer1.0" and self.shortcut.is_always_first:
            return True
        return block.strides > 1 or int(x.shape[-1]) != block.filters

    def _projected(self, x: Any, block: _Block) -> Any:
        name, strides = f"{block.name}.downsample", block.strides
        if not self.shortcut.is_projected:
            missing = block.filters - int(x.shape[-1])
            pixels = x[:, ::strides, ::strides]
            return keras.ops.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, missing)))
        number = 0
        if self.shortcut.is_pooled:
            number = 1  # the pool is timm's downsample.0, even where it does nothing
            if strides > 1:
                x = average_pooled(x, 2, 2, ceil=True, name=f"{name}.0")
            strides = 1
        kernel_size = self.shortcut.kernel_size if strides > 1 else 1
        names = (f"{name}.{number}", f"{name}.{number + 1}")
        if self.is_preactivated:
            return convolved(x, block.filters, kernel_size, strides=strides, name=names[0])
        return self._unit(x, _Convolution(names, block.filters, kernel_size, strides), "linear")

    def _unit(self, x: Any, one: _Convolution, activation: Activation) -> Any:
        conv, bn = one.names
        if self.is_fused and one.kernel_size > 1:
            x = convolved(
                x, one.filters, one.kernel_size, strides=one.strides, bias=True, name=conv
            )
            return activated(x, activation, name=bn)
        return convolved_and_normalised(
            x,
            one.filters,
            one.kernel_size,
            self.style,
            names=one.names,
            strides=one.strides,
            groups=one.groups,
            activation=activation,
        )

    def _normalised(self, x: Any, *, name: str) -> Any:
        return activated(normalised(x, self.style, name=name), self.style.activation, name=name)


@dataclass(frozen=True)
class _Block:
    """One block, with its place in the network."""

    name: str
    width: int
    filters: int
    groups: int
    strides: int
    is_first: bool


@dataclass(frozen=True)
class _Convolution:
    """A convolution of a block or of the stem, and its BatchNorm."""

    names: tuple[str, str]
    filters: int
    kernel_size: int = 1
    strides: int = 1
    groups: int = 1
