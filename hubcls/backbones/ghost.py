"""Networks that compute half of their channels from the other half.

GhostNet, Han et al. 2020, arXiv:1911.11907, sections 3.1 and 3.2, table 7 of the appendix.
Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Activation,
    Style,
    activated,
    classified,
    convolved,
    convolved_and_normalised,
    divisible,
    globally_pooled,
    squeezed_and_excited,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, substituted
from hubcls.backbones.layers import ResidualSum


@dataclass(frozen=True)
class Block:
    """One bottleneck of two ghost modules; channels before scaling.

    Attributes:
        kernel_size: of the depthwise convolutions at stride 2 and in the shortcut.
        expanded: channels between the two modules.
        filters: channels that come out.
        strides: of the block.
        has_gate: whether there is squeeze-and-excitation between the modules.
    """

    kernel_size: int
    expanded: int
    filters: int
    strides: int = 1
    has_gate: bool = False


@dataclass(frozen=True)
class GhostNet:
    """GhostNet.

    Attributes:
        stages: the blocks, in timm's groups.
        top_filters: channels of the last 1×1 convolution, before scaling.
        width: factor on all channels.
        stem_filters: channels of the first convolution (3×3, stride 2), before scaling.
        gate: of squeeze-and-excitation.
        gate_divisor: what the squeezed channels are multiples of.
        hidden_units: of the dense layer before the classifier.
        head_is_normalised: whether that layer has a BatchNorm in place of a bias.
        dropout: rate before the classifier.
        style: activation and BatchNorm.
    """

    stages: tuple[tuple[Block, ...], ...]
    top_filters: int
    width: float = 1.0
    stem_filters: int = 16
    gate: Activation = "hard_sigmoid"
    gate_divisor: int = 4
    hidden_units: int = 1280
    head_is_normalised: bool = False
    dropout: float = 0.2
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """The last map of each resolution; the last one behind the top convolution."""
        filters = self._scaled(self.stem_filters)
        outputs = [self._convolved(x, filters, 3, ("conv_stem", "bn1"), strides=2)]
        for number, stage in enumerate(self.stages):
            x = outputs[-1] if stage[0].strides > 1 else outputs.pop()
            for place, block in enumerate(stage):
                x = self._block(x, block, f"blocks.{number}.{place}")
            outputs.append(x)
        top = f"blocks.{len(self.stages)}.0"
        filters = self._scaled(self.top_filters)
        outputs[-1] = self._convolved(outputs[-1], filters, 1, (f"{top}.conv", f"{top}.bn1"))
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        x = globally_pooled(features, name="global_pool", keepdims=True)
        if self.head_is_normalised:
            x = self._convolved(x, self.hidden_units, 1, ("conv_head", "bn_head"))
        else:
            x = convolved(x, self.hidden_units, bias=True, name="conv_head")
            x = activated(x, self.style.activation, name="conv_head")
        return classified(x, num_classes, name="classifier", dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas'."""
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle", self._paddleclas())}

    def _block(self, x: Any, block: Block, name: str) -> Any:
        filters, strides, side = self._scaled(block.filters), block.strides, block.kernel_size
        shortcut = x
        x = self._ghost(x, self._scaled(block.expanded), f"{name}.ghost1", is_rectified=True)
        if strides > 1:
            x = self._depthwise(x, side, (f"{name}.conv_dw", f"{name}.bn_dw"), strides)
        if block.has_gate:
            squeezed = divisible(x.shape[-1] // 4, self.gate_divisor)
            names = (f"{name}.se.conv_reduce", f"{name}.se.conv_expand")
            x = squeezed_and_excited(x, squeezed, names=names, gate=self.gate)
        x = self._ghost(x, filters, f"{name}.ghost2", is_rectified=False)
        if strides > 1 or shortcut.shape[-1] != filters:
            names = (f"{name}.shortcut.0", f"{name}.shortcut.1")
            shortcut = self._depthwise(shortcut, side, names, strides)
            names = (f"{name}.shortcut.2", f"{name}.shortcut.3")
            shortcut = self._convolved(shortcut, filters, 1, names, is_rectified=False)
        return ResidualSum(name=f"{name}.sum")([shortcut, x])

    def _ghost(self, x: Any, filters: int, name: str, *, is_rectified: bool) -> Any:
        """Half of the channels by a 1×1 convolution, the others from them, each from one."""
        half = filters // 2
        names = (f"{name}.primary_conv.0", f"{name}.primary_conv.1")
        x = self._convolved(x, half, 1, names, is_rectified=is_rectified)
        names = (f"{name}.cheap_operation.0", f"{name}.cheap_operation.1")
        ghosts = self._convolved(x, None, 3, names, is_rectified=is_rectified)
        return keras.layers.Concatenate(name=f"{name}.join")([x, ghosts])

    def _depthwise(self, x: Any, kernel_size: int, names: tuple[str, str], strides: int) -> Any:
        return self._convolved(x, None, kernel_size, names, strides=strides, is_rectified=False)

    def _convolved(
        self,
        x: Any,
        filters: int | None,
        kernel_size: int,
        names: tuple[str, str],
        *,
        strides: int = 1,
        is_rectified: bool = True,
    ) -> Any:
        activation = self.style.activation if is_rectified else "linear"
        return convolved_and_normalised(
            x, filters, kernel_size, self.style, names=names, strides=strides, activation=activation
        )

    def _scaled(self, filters: int) -> int:
        return divisible(filters * self.width, 4)

    def _paddleclas(self) -> Renaming:
        starts = [sum(map(len, self.stages[:place])) for place in range(len(self.stages))]

        def part(stage: int, place: int, name: str) -> str:
            return f"_ghostbottleneck_{starts[stage] + place}.{_renamed_part(name)}"

        top = rf"blocks\.{len(self.stages)}\.0"
        return substituted(
            *_OUTER,
            (rf"{top}\.conv", "conv_last._conv"),
            (rf"{top}\.bn1", "conv_last._batch_norm"),
            (rf"blocks\.([0-{len(self.stages) - 1}])\.(\d+)\.(.+)", part),
        )


_OUTER = (
    ("conv_stem", "conv1._conv"),
    ("bn1", "conv1._batch_norm"),
    ("conv_head", "fc_0._conv"),
    ("bn_head", "fc_0._batch_norm"),
    ("classifier", "fc_1"),
)
_renamed_part = substituted(
    (r"ghost(\d)\.(\w+)\.0", r"ghost_module_\1.\2._conv"),
    (r"ghost(\d)\.(\w+)\.1", r"ghost_module_\1.\2._batch_norm"),
    ("conv_dw", "depthwise_conv._conv"),
    ("bn_dw", "depthwise_conv._batch_norm"),
    (r"se\.conv_reduce", "se_block.squeeze"),
    (r"se\.conv_expand", "se_block.excitation"),
    (r"shortcut\.0", "shortcut_depthwise._conv"),
    (r"shortcut\.1", "shortcut_depthwise._batch_norm"),
    (r"shortcut\.2", "shortcut_conv._conv"),
    (r"shortcut\.3", "shortcut_conv._batch_norm"),
)
