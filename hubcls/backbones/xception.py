"""Xception networks: residual blocks of depthwise separable convolutions.

Chollet 2016, arXiv:1610.02357, section 4. Two later forms are built here: PaddleClas' with
41 to 71 layers, whose separable convolutions begin with the 1×1 and whose blocks end in a
max-pool; and DeepLab's "aligned" one (Chen et al. 2018, arXiv:1802.02611, section 3.2),
where strides stand for pools and every depthwise convolution has a BatchNorm. Layers are
called as in timm's aligned networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hubcls.backbones.blocks import (
    Style,
    activated,
    classified,
    convolved,
    convolved_and_normalised,
    depthwise_convolved,
    max_pooled,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, substituted
from hubcls.backbones.layers import ResidualSum

_LOGITS = "head.fc"
_STEM = r"stem\.(\d+)\.(conv|bn)"
_STACK = r"blocks\.(\d+)\.stack\.conv(\d)\.(conv|bn)_(dw|pw)"
_SHORTCUT = r"blocks\.(\d+)\.shortcut\.(conv|bn)"


@dataclass(frozen=True)
class Block:
    """Separable convolutions around which a shortcut leads.

    Attributes:
        filters: channels of each separable convolution.
        strides: of the last one, or of the pool behind it.
        repeats: how many such blocks stand in a row.
        dilation: step between the places that a depthwise convolution reads.
        has_skip: whether there is a shortcut; without, rectifiers follow the separable
            convolutions, of which the aligned form's have two each.
        starts_with_relu: whether a rectifier stands in front of the first.
    """

    filters: tuple[int, ...]
    strides: int = 1
    repeats: int = 1
    dilation: int = 1
    has_skip: bool = True
    starts_with_relu: bool = True


@dataclass(frozen=True)
class Xception:
    """An Xception network.

    Attributes:
        entry: blocks that shrink the image.
        middle: the block that is repeated.
        exit: the last blocks; the very last has no shortcut.
        is_aligned: whether it is DeepLab's form.
        dropout: rate before the original classifier.
        style: BatchNorm's numbers.
        paddle_name: what PaddleClas' keys of an aligned network's flows begin with.
    """

    entry: tuple[Block, ...]
    middle: Block
    exit: tuple[Block, Block]
    is_aligned: bool = False
    dropout: float = 0.0
    style: Style = field(default_factory=Style)
    paddle_name: str = ""

    def stage_outputs(self, x: Any) -> list[Any]:
        """The output of the stem, and of each stage that ends before the image shrinks."""
        for place, (filters, strides) in enumerate(((32, 2), (64, 1))):
            name = f"stem.{place}"
            x = convolved_and_normalised(
                x, filters, 3, self.style, strides=strides, names=(f"{name}.conv", f"{name}.bn")
            )
        outputs = [x]
        for place, block in enumerate(self._blocks()):
            if block.strides == 1 and len(outputs) > 1:
                outputs.pop()
            x = self._block(x, block, f"blocks.{place}")
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name=_LOGITS, dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas'."""
        # Of PaddlePaddle's dropout, the mean of what it keeps remains.
        factors = {_LOGITS: 1 - self.dropout} if self.dropout else {}
        renaming = self._paddle_aligned() if self.is_aligned else self._paddle()
        return {
            "timm": KeyRules(),
            "PaddleClas": KeyRules("paddle", renaming, factors=factors),
        }

    def _blocks(self) -> list[Block]:
        return [*self.entry, *(self.middle,) * self.middle.repeats, *self.exit]

    def _paddle(self) -> Renaming:
        parts = {"conv": "_conv", "bn": "_batch_norm"}
        flows = {"pw": "_pointwise_conv", "dw": "_depthwise_conv"}
        exit_at = len(self._blocks()) - 2

        def inner(part: str, flow: str) -> str:
            return f"{flows[flow]}.{parts[part]}"

        def block(place: int, conv: int, part: str, flow: str) -> str:
            middle = place - len(self.entry)
            if middle < 0:
                return f"_entry_flow._conv_{place}._conv{conv}.{inner(part, flow)}"
            if place < exit_at:
                return f"_middle_flow._conv_{middle}._conv_{conv - 1}.{inner(part, flow)}"
            first = "._conv_0" if place == exit_at else ""
            return f"_exit_flow{first}._conv_{conv}.{inner(part, flow)}"

        def shortcut(place: int) -> str:
            flow = f"_entry_flow._conv_{place}" if place < exit_at else "_exit_flow._conv_0"
            return f"{flow}._short"

        return substituted(
            (_STEM, lambda place, part: f"_entry_flow._conv{place + 1}.{parts[part]}"),
            (_STACK, block),
            (_SHORTCUT, lambda place, _part: shortcut(place)),
            (_LOGITS, "_exit_flow._out"),
        )

    def _paddle_aligned(self) -> Renaming:
        exit_at = len(self._blocks()) - 2
        orders = {"dw": 1, "pw": 2}

        def block(place: int) -> str:
            middle = place - len(self.entry)
            if middle < 0:
                return f"{self.paddle_name}/entry_flow/block{place + 1}"
            if place < exit_at:
                return f"{self.paddle_name}/middle_flow/block{middle + 1}"
            return f"_exit_flow_{place - exit_at + 1}"

        return substituted(
            (_STEM, lambda place, part: f"_conv{place + 1}._{part}"),
            (
                _STACK,
                lambda place, conv, part, flow: f"{block(place)}._conv{conv}._{part}{orders[flow]}",
            ),
            (_SHORTCUT, lambda place, part: f"{block(place)}._short._{part}"),
            (_LOGITS, "_fc"),
        )

    def _block(self, x: Any, block: Block, name: str) -> Any:
        shortcut, last = x, len(block.filters)
        for place, filters in enumerate(block.filters, start=1):
            own = f"{name}.stack.conv{place}"
            if block.has_skip and (place > 1 or block.starts_with_relu):
                x = activated(x, "relu", name=f"{name}.stack.act{place}")
            strides = block.strides if place == last else 1
            x = self._separable(x, block, own, filters, strides=strides)
            if not block.has_skip:
                x = activated(x, "relu", name=f"{own}.act_pw")
        if not block.has_skip:
            return x
        if block.strides != 1 or block.filters[-1] != shortcut.shape[-1]:
            if not self.is_aligned:
                x = max_pooled(x, 3, block.strides, padding=1, name=f"{name}.pool")
            shortcut = self._shortcut(shortcut, block, f"{name}.shortcut")
        return ResidualSum(name=f"{name}.add")([shortcut, x])

    def _shortcut(self, x: Any, block: Block, name: str) -> Any:
        x = convolved(x, block.filters[-1], strides=block.strides, name=f"{name}.conv")
        return normalised(x, self.style, name=f"{name}.bn") if self.is_aligned else x

    def _separable(self, x: Any, block: Block, name: str, filters: int, *, strides: int) -> Any:
        if not self.is_aligned:
            x = self._pointwise(x, name, filters)
            return self._depthwise(x, name)
        x = self._depthwise(x, name, strides=strides, dilation=block.dilation)
        if not block.has_skip:
            x = activated(x, "relu", name=f"{name}.act_dw")
        return self._pointwise(x, name, filters)

    def _depthwise(self, x: Any, name: str, *, strides: int = 1, dilation: int = 1) -> Any:
        x = depthwise_convolved(x, 3, strides=strides, dilation=dilation, name=f"{name}.conv_dw")
        return normalised(x, self.style, name=f"{name}.bn_dw")

    def _pointwise(self, x: Any, name: str, filters: int) -> Any:
        x = convolved(x, filters, name=f"{name}.conv_pw")
        return normalised(x, self.style, name=f"{name}.bn_pw")
