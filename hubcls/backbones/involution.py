"""Residual networks whose 3×3 convolutions are involutions of 7×7.

RedNet, Li et al. 2021, arXiv:2103.06255, section 4.1. Layers are called as in PaddleClas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
from hubcls.backbones.involution_layers import Involution
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.layers import ResidualSum

_GROUP_WIDTH = 16
_REDUCTION = 4
_EXPANSION = 4


@dataclass(frozen=True)
class RedNet:
    """A residual network of involutions.

    Attributes:
        num_blocks: bottlenecks of each stage; every stage but the first halves the map.
        filters: inner channels of the first stage's bottlenecks; each next one has twice
            as many.
        kernel_size: of the bottlenecks' involutions.
        style: activation and BatchNorm.
    """

    num_blocks: tuple[int, ...]
    filters: int = 64
    kernel_size: int = 7
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem's pool and of every stage.

        Raises:
            ValueError: a stage that halves the map gets one with an odd side.
        """
        x = convolved_and_normalised(
            x, self.filters // 2, 3, self.style, names=("stem.0.conv", "stem.0.bn"), strides=2
        )
        x = self._involved(x, 3, "stem.1")
        x = activated(normalised(x, self.style, name="stem.2"), "relu", name="stem.2")
        x = convolved_and_normalised(
            x, self.filters, 3, self.style, names=("stem.4.conv", "stem.4.bn")
        )
        outputs = [max_pooled(x, 3, 2, padding=1, name="maxpool")]
        for stage, num_blocks in enumerate(self.num_blocks):
            x = outputs[-1]
            for place in range(num_blocks):
                strides = 2 if stage and not place else 1
                name = f"layer{stage + 1}.{place}"
                x = self._bottleneck(x, self.filters * 2**stage, name, strides=strides)
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """PaddleClas' names."""
        return {"PaddleClas": KeyRules("paddle")}

    def _bottleneck(self, x: Any, filters: int, name: str, *, strides: int) -> Any:
        wide = filters * _EXPANSION
        shortcut = x
        if strides > 1 or x.shape[-1] != wide:
            names = (f"{name}.downsample.0", f"{name}.downsample.1")
            shortcut = convolved_and_normalised(
                x, wide, 1, self.style, names=names, strides=strides, activation="linear"
            )
        x = convolved_and_normalised(
            x, filters, 1, self.style, names=(f"{name}.conv1", f"{name}.bn1")
        )
        x = self._involved(x, self.kernel_size, f"{name}.conv2", strides=strides)
        x = activated(normalised(x, self.style, name=f"{name}.bn2"), "relu", name=f"{name}.bn2")
        x = convolved_and_normalised(
            x, wide, 1, self.style, names=(f"{name}.conv3", f"{name}.bn3"), activation="linear"
        )
        x = ResidualSum(name=f"{name}.sum")([shortcut, x])
        return activated(x, self.style.activation, name=name)

    def _involved(self, x: Any, kernel_size: int, name: str, *, strides: int = 1) -> Any:
        """The map times kernels that two 1×1 convolutions make of it at every place."""
        channels = x.shape[-1]
        kernels = x
        if any(side % strides for side in x.shape[1:3]):
            stride = 2 ** (len(self.num_blocks) - 1)
            raise ValueError(f"a quarter of each side, rounded up, must be a multiple of {stride}")
        if strides > 1:
            kernels = average_pooled(x, strides, strides, name=f"{name}.avgpool")
        names = (f"{name}.conv1.conv", f"{name}.conv1.bn")
        kernels = convolved_and_normalised(
            kernels, channels // _REDUCTION, 1, self.style, names=names
        )
        size = kernel_size**2 * (channels // _GROUP_WIDTH)
        kernels = convolved(kernels, size, bias=True, name=f"{name}.conv2.conv")
        return Involution(kernel_size, strides, name=f"{name}.involution")([x, kernels])
