"""SqueezeNet: squeeze to few channels, expand by 1×1 and 3×3 convolutions side by side.

Iandola et al. 2016, arXiv:1602.07360, sections 3.2 and 3.3. Layers are called as in
torchvision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from hubcls.backbones.blocks import activated, convolved, dense, max_pooled
from hubcls.backbones.key_rules import KeyRules, listed

_LOGITS = "classifier.1"


@dataclass(frozen=True)
class Fire:
    """Channels of a fire module's squeezing convolution and of each expanding one."""

    squeezed: int
    expanded: int


@dataclass(frozen=True)
class SqueezeNet:
    """A convolution, and stages of fire modules, a max-pool in front of each.

    Attributes:
        stem_filters: channels of the first convolution (stride 2).
        stem_kernel_size: its side.
        stages: the fire modules between the pools.
        stem_padding: zeros around the image; torchvision has none.
        has_ceil_pools: whether the last window of a pool may reach over the edge, as in
            torchvision.
    """

    stem_filters: int
    stem_kernel_size: int
    stages: tuple[tuple[Fire, ...], ...]
    stem_padding: int = 0
    has_ceil_pools: bool = True

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first convolution and of the last fire module before each pool."""
        x = _rectified(
            x,
            self.stem_filters,
            self.stem_kernel_size,
            strides=2,
            padding=self.stem_padding,
            name="features.0",
        )
        outputs = [x]
        for number, fires in enumerate(self._places(), start=1):
            x = max_pooled(x, 3, 2, ceil=self.has_ceil_pools, name=f"pool{number}")
            for name, fire in fires.items():
                x = _fire(x, fire, name=name)
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, never negative: float32 [B, num_classes]."""
        x = keras.layers.Dropout(0.5, name=f"{_LOGITS}_dropout")(features)
        x = dense(x, num_classes, name=_LOGITS)
        x = keras.layers.Activation("relu", dtype="float32", name=f"{_LOGITS}_activation")(x)
        return keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{_LOGITS}_pool")(x)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Torchvision's names, and PaddleClas'."""
        parts = {"squeeze": "_conv", "expand1x1": "_conv_path1", "expand3x3": "_conv_path2"}
        fires = [name for fires in self._places() for name in fires]
        names = {
            f"{fire}.{part}": f"_conv{number}.{theirs}._conv"
            for number, fire in enumerate(fires, start=1)
            for part, theirs in parts.items()
        }
        names |= {"features.0": "_conv", _LOGITS: "_conv9"}
        return {
            "torchvision": KeyRules(),
            "PaddleClas": KeyRules("paddle", listed(names), factors={_LOGITS: 0.5}),
        }

    def _places(self) -> Iterator[dict[str, Fire]]:
        """The fire modules of each stage, named by their place among all layers."""
        place = 2  # behind the first convolution and its rectifier
        for fires in self.stages:
            yield {f"features.{place + i}": fire for i, fire in enumerate(fires, start=1)}
            place += 1 + len(fires)


def _fire(x: Any, fire: Fire, *, name: str) -> Any:
    x = _rectified(x, fire.squeezed, 1, name=f"{name}.squeeze")
    narrow = _rectified(x, fire.expanded, 1, name=f"{name}.expand1x1")
    wide = _rectified(x, fire.expanded, 3, padding=1, name=f"{name}.expand3x3")
    return keras.layers.Concatenate(name=f"{name}.concat")([narrow, wide])


def _rectified(
    x: Any, filters: int, kernel_size: int, *, name: str, strides: int = 1, padding: int = 0
) -> Any:
    x = convolved(x, filters, kernel_size, strides=strides, padding=padding, bias=True, name=name)
    return activated(x, "relu", name=name)
