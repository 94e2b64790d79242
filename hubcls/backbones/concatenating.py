"""Networks whose layers add channels to what all earlier ones have made.

DenseNet (Huang et al. 2016, arXiv:1608.06993, section 3) and DPN (Chen et al. 2017,
arXiv:1707.01629, section 3.2). BatchNorm and rectifier stand in front of a convolution.
Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    average_pooled,
    classified,
    convolved,
    convolved_and_normalised,
    max_pooled,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules, substituted
from hubcls.backbones.layers import ResidualSum

_LOGITS = "classifier"


@dataclass(frozen=True)
class DenseNet:
    """A DenseNet-BC, in which a transition halves the channels.

    Attributes:
        num_layers: dense layers of each block.
        stem_filters: channels of the first convolution.
        growth_rate: channels that a layer adds; its 1×1 convolution has four times as many.
        style: activation and BatchNorm.
    """

    num_layers: tuple[int, ...]
    stem_filters: int = 64
    growth_rate: int = 32
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first convolution and of every block."""
        names = ("features.conv0", "features.norm0")
        x = convolved_and_normalised(x, self.stem_filters, 7, self.style, names=names, strides=2)
        outputs = [x]
        x = max_pooled(x, 3, 2, padding=1, name="features.pool0")
        for block, count in enumerate(self.num_layers, start=1):
            if block > 1:
                name = f"features.transition{block - 1}"
                names = (f"{name}.norm", f"{name}.conv")
                x = _pre_activated(x, x.shape[-1] // 2, 1, self.style, names=names)
                x = average_pooled(x, 2, 2, name=f"{name}.pool")
            for layer in range(1, count + 1):
                x = self._extended(x, name=f"features.denseblock{block}.denselayer{layer}")
            outputs.append(x)
        outputs[-1] = _rectified(x, self.style, name="features.norm5")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name=_LOGITS)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas'."""
        parts = {"norm": "_batch_norm", "conv": "_conv"}
        paddle = substituted(
            (r"features\.(norm|conv)0", lambda part: f"conv1_func.{parts[part]}"),
            (
                r"features\.denseblock(\d)\.denselayer(\d+)\.(norm|conv)(\d)",
                lambda i, j, part, k: (
                    f"db_conv_{i + 1}.conv{i + 1}_{j}.bn_ac_func{k}.{parts[part]}"
                ),
            ),
            (
                r"features\.transition(\d)\.(norm|conv)",
                lambda i, part: f"tr_conv{i + 1}_blk.conv_ac_func.{parts[part]}",
            ),
            (r"features\.norm5", "batch_norm"),
            (_LOGITS, "out"),
        )
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle", paddle)}

    def _extended(self, x: Any, *, name: str) -> Any:
        names = [(f"{name}.norm{place}", f"{name}.conv{place}") for place in (1, 2)]
        new = _pre_activated(x, 4 * self.growth_rate, 1, self.style, names=names[0])
        new = _pre_activated(new, self.growth_rate, 3, self.style, names=names[1])
        return keras.layers.Concatenate(name=f"{name}.concat")([x, new])


@dataclass(frozen=True)
class DualPathStage:
    """Blocks on maps of one size.

    Attributes:
        num_blocks: blocks in the row; all but the first stage's first halve the image.
        residual: channels of the residual path.
        growth: channels that a block adds to the dense path; the first adds three times
            as many.
        width: channels of the 3×3 convolutions.
    """

    num_blocks: int
    residual: int
    growth: int
    width: int


@dataclass(frozen=True)
class DualPath:
    """A dual path network.

    Attributes:
        stem_filters: channels of the first convolution (stride 2).
        stem_kernel_size: its side.
        groups: of the 3×3 convolutions.
        stages: the rows of blocks.
        style: activation and BatchNorm.
    """

    stem_filters: int
    groups: int
    stages: tuple[DualPathStage, ...]
    stem_kernel_size: int = 7
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first convolution and of every stage, both paths side by side."""
        names = ("features.conv1_1.conv", "features.conv1_1.bn")
        x = convolved_and_normalised(
            x, self.stem_filters, self.stem_kernel_size, self.style, names=names, strides=2
        )
        outputs = [x]
        x = max_pooled(x, 3, 2, padding=1, name="features.conv1_pool")
        for number, stage in enumerate(self.stages, start=2):
            for block in range(1, stage.num_blocks + 1):
                name = f"features.conv{number}_{block}"
                shortcut, strides = x, 1
                if block == 1:
                    strides = 1 if number == 2 else 2
                    filters = stage.residual + 2 * stage.growth
                    shortcut = self._convolved(
                        x, filters, 1, strides=strides, name=f"{name}.c1x1_w_s{strides}"
                    )
                x = self._block(x, shortcut, stage, strides, name=name)
            outputs.append(x)
        outputs[-1] = _rectified(x, self.style, name="features.conv5_bn_ac.bn")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name=_LOGITS)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas', which number the blocks through all stages."""
        parts = {"bn": "_batch_norm", "conv": "_conv"}
        depths = [stage.num_blocks for stage in self.stages]
        paddle = substituted(
            (r"features\.conv1_1\.(bn|conv)", lambda part: f"conv1_x_1_func.{parts[part]}"),
            (
                r"features\.conv(\d)_(\d+)\.(c\dx\d_[abcw])(?:_s\d)?\.(bn|conv)",
                lambda stage, block, conv, part: (
                    f"dpn{sum(depths[: stage - 2]) + block}.{conv}_func.{parts[part]}"
                ),
            ),
            (r"features\.conv5_bn_ac\.bn", "conv5_x_x_bn"),
            (_LOGITS, "out"),
        )
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle", paddle)}

    def _block(
        self, x: Any, shortcut: Any, stage: DualPathStage, strides: int, *, name: str
    ) -> Any:
        """Add to the first channels of the shortcut, and append to the others."""
        residual = stage.residual
        x = self._convolved(x, stage.width, 1, name=f"{name}.c1x1_a")
        x = self._convolved(
            x, stage.width, 3, strides=strides, groups=self.groups, name=f"{name}.c3x3_b"
        )
        x = self._convolved(x, residual + stage.growth, 1, name=f"{name}.c1x1_c")
        total = ResidualSum(name=f"{name}.add")([shortcut[..., :residual], x[..., :residual]])
        dense = [shortcut[..., residual:], x[..., residual:]]
        return keras.layers.Concatenate(name=f"{name}.concat")([total, *dense])

    def _convolved(
        self,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        name: str,
        strides: int = 1,
        groups: int = 1,
    ) -> Any:
        names = (f"{name}.bn", f"{name}.conv")
        return _pre_activated(
            x, filters, kernel_size, self.style, names=names, strides=strides, groups=groups
        )


def _pre_activated(
    x: Any,
    filters: int,
    kernel_size: int,
    style: Style,
    *,
    names: tuple[str, str],
    strides: int = 1,
    groups: int = 1,
) -> Any:
    """BatchNorm, rectifier and convolution; the names are the first one's and the last one's."""
    x = _rectified(x, style, name=names[0])
    return convolved(x, filters, kernel_size, strides=strides, groups=groups, name=names[1])


def _rectified(x: Any, style: Style, *, name: str) -> Any:
    return activated(normalised(x, style, name=name), style.activation, name=name)
