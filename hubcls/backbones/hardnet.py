"""HarDNet: a layer sees the earlier ones that are a power of two away.

Chao et al. 2019, arXiv:1909.00948, sections 3.1 to 3.3. Layers are called as in PaddleClas
and in the authors' code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    classified,
    convolved_and_normalised,
    max_pooled,
)
from hubcls.backbones.key_rules import KeyRules


@dataclass(frozen=True)
class Block:
    """A harmonic dense block and the 1×1 convolution behind it.

    Attributes:
        num_layers: of the block.
        growth_rate: channels of its layers with odd numbers.
        filters: channels of the convolution.
        shrinks: whether the image is halved behind it.
    """

    num_layers: int
    growth_rate: int
    filters: int
    shrinks: bool = False


@dataclass(frozen=True)
class HarDNet:
    """A HarDNet.

    Attributes:
        stem_filters: channels of the first two convolutions.
        blocks: the blocks.
        growth_factor: channels of a layer as many times the growth rate as powers of two
            above 1 divide its number.
        is_separable: whether 3×3 convolutions are depthwise ones behind 1×1 ones, also in
            the place of the pools.
        block_dropout: rate in front of the last 1×1 convolution; 0 leaves the layer out.
        dropout: rate before the original classifier.
        style: activation and BatchNorm.
    """

    stem_filters: tuple[int, int]
    blocks: tuple[Block, ...]
    growth_factor: float = 1.7
    is_separable: bool = False
    block_dropout: float = 0.0
    dropout: float = 0.1
    style: Style = field(default_factory=lambda: Style(activation="relu6"))

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first two convolutions, and before the image shrinks further."""
        first, second = self.stem_filters
        x = self._convolved(x, first, 3, strides=2, name="base.0")
        x = self._convolved(x, second, 1 if self.is_separable else 3, name="base.1")
        outputs = [x]
        x = self._shrunk(x, 3, name="base.2")
        for place, block in self._places():
            x = self._harmonic(x, block, name=f"base.{place}")
            if self.block_dropout and block is self.blocks[-1]:
                place += 1
                x = keras.layers.Dropout(self.block_dropout, name=f"base.{place}")(x)
            x = self._convolved(x, block.filters, 1, name=f"base.{place + 1}")
            if block.shrinks:
                outputs.append(x)
                x = self._shrunk(x, 2, name=f"base.{place + 2}")
        return [*outputs, x]

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        *_, (place, _) = self._places()
        name = f"base.{place + 2 + bool(self.block_dropout)}.3"
        return classified(features, num_classes, name=name, dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """PaddleClas' names, and the authors', which are the same."""
        return {"PaddleClas": KeyRules("paddle"), "the authors'": KeyRules()}

    def _places(self) -> Iterator[tuple[int, Block]]:
        """The blocks, each with its place among all layers."""
        place = 3
        for block in self.blocks:
            yield place, block
            place += 2 + block.shrinks

    def _harmonic(self, x: Any, block: Block, *, name: str) -> Any:
        """The layers that no later one would see: those with odd numbers, and the last."""
        layers = [x]
        for number in range(1, block.num_layers + 1):
            powers = [power for power in _POWERS if number % power == 0]
            x = _joined([layers[number - power] for power in powers], name=f"{name}.{number}")
            # The authors round to even numbers this way.
            filters = block.growth_rate * self.growth_factor ** (len(powers) - 1)
            filters = int(int(filters + 1) / 2) * 2
            layer = f"{name}.layers.{number - 1}"
            if self.is_separable:
                x = self._convolved(x, filters, 1, name=f"{layer}.layer1")
                x = self._depthwise(x, name=f"{layer}.layer2")
            else:
                x = self._convolved(x, filters, 3, name=layer)
            layers.append(x)
        last = layers[-1:] if block.num_layers % 2 == 0 else []
        return _joined([*layers[1::2], *last], name=name)

    def _shrunk(self, x: Any, size: int, *, name: str) -> Any:
        if self.is_separable:
            return self._depthwise(x, strides=2, name=name)
        return max_pooled(x, size, 2, padding=(size - 1) // 2, name=name)

    def _depthwise(self, x: Any, *, name: str, strides: int = 1) -> Any:
        names = (f"{name}.dwconv", f"{name}.norm")
        return convolved_and_normalised(
            x, None, 3, self.style, names=names, strides=strides, activation="linear"
        )

    def _convolved(
        self, x: Any, filters: int, kernel_size: int, *, name: str, strides: int = 1
    ) -> Any:
        names = (f"{name}.conv", f"{name}.norm")
        return convolved_and_normalised(
            x, filters, kernel_size, self.style, names=names, strides=strides
        )


_POWERS = tuple(2**power for power in range(10))


def _joined(maps: list[Any], *, name: str) -> Any:
    return keras.layers.Concatenate(name=f"{name}.concat")(maps) if len(maps) > 1 else maps[0]
