"""DarkNet: residual blocks of a narrow 1×1 and a wide 3×3 convolution.

YOLOv3's backbone, Redmon and Farhadi 2018, arXiv:1804.02767, section 2.4. Layers are
called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hubcls.backbones.blocks import Style, classified, convolved_and_normalised
from hubcls.backbones.key_rules import KeyRules, substituted
from hubcls.backbones.layers import ResidualSum


@dataclass(frozen=True)
class DarkNet:
    """A DarkNet.

    Attributes:
        num_blocks: residual blocks of each stage; a stage halves the image and doubles
            the channels.
        stem_filters: channels of the first convolution.
        style: activation and BatchNorm.
    """

    num_blocks: tuple[int, ...]
    stem_filters: int = 32
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first convolution and of every stage."""
        x = self._convolved(x, self.stem_filters, 3, name="stem.conv1")
        outputs = [x]
        for stage, count in enumerate(self.num_blocks):
            name = f"stages.{stage}"
            filters = self.stem_filters << stage + 1
            x = self._convolved(x, filters, 3, strides=2, name=f"{name}.conv_down")
            for block in range(count):
                x = self._residual(x, name=f"{name}.blocks.{block}")
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="head.fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas'."""
        paddle = substituted(
            (r"stem\.conv1\.(\w+)", r"_conv1._\1"),
            (r"stages\.0\.conv_down\.(\w+)", r"_conv2._\1"),
            (r"stages\.(\d+)\.conv_down\.(\w+)", lambda i, part: f"_downsample_{i - 1}._{part}"),
            (
                r"stages\.(\d+)\.blocks\.(\d+)\.(\w+)\.(\w+)",
                lambda i, j, conv, part: f"_basic_block_{i}{j + 1}._{conv}._{part}",
            ),
            (r"head\.fc", "_out"),
        )
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle", paddle)}

    def _residual(self, x: Any, *, name: str) -> Any:
        filters = x.shape[-1]
        shortcut = x
        x = self._convolved(x, filters // 2, 1, name=f"{name}.conv1")
        x = self._convolved(x, filters, 3, name=f"{name}.conv2")
        return ResidualSum(name=f"{name}.add")([shortcut, x])

    def _convolved(
        self, x: Any, filters: int, kernel_size: int, *, name: str, strides: int = 1
    ) -> Any:
        names = (f"{name}.conv", f"{name}.bn")
        return convolved_and_normalised(
            x, filters, kernel_size, self.style, names=names, strides=strides
        )
