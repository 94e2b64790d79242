"""Networks of convolutions in a row, with dense layers as large as the last map on top.

AlexNet (Krizhevsky 2014, arXiv:1404.5997, "one weird trick", section 5) and VGG (Simonyan
and Zisserman 2014, arXiv:1409.1556, table 1). Layers are called as in timm's VGG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from hubcls.backbones.blocks import activated, classified, convolved, max_pooled
from hubcls.backbones.key_rules import KeyRules, Renaming, listed
from hubcls.backbones.layers import AdaptiveAveragePooling

_HIDDEN = ("pre_logits.fc1", "pre_logits.fc2")
_LOGITS = "head.fc"


@dataclass(frozen=True)
class Convolution:
    """One convolution with its rectifier; a 3×3 of stride 1 where nothing is said."""

    filters: int
    kernel_size: int = 3
    strides: int = 1
    padding: int = 1


@dataclass(frozen=True)
class Sequential:
    """Stages of convolutions, a max-pool behind each.

    Attributes:
        stages: the convolutions between the pools.
        pool_size: side of the max-pools; their step is 2.
        map_size: side of the map that the classifier takes.
        has_bias: whether the convolutions have biases; those of PaddlePaddle's VGG have not.
    """

    stages: tuple[tuple[Convolution, ...], ...]
    pool_size: int = 2
    map_size: int = 7
    has_bias: bool = True

    def stage_outputs(self, x: Any) -> list[Any]:
        """The map behind each max-pool; there is no stem."""
        outputs = []
        for stage, places in enumerate(self._places(), start=1):
            for place in places:
                x = self._convolved(x, place)
            x = max_pooled(x, self.pool_size, 2, name=f"pool{stage}")
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        x = AdaptiveAveragePooling(self.map_size, name="pre_logits.pool")(features)
        for name, kernel_size in zip(_HIDDEN, (self.map_size, 1), strict=True):
            x = convolved(x, 4096, kernel_size, bias=True, padding="valid", name=name)
            x = activated(x, "relu", name=name)
            x = keras.layers.Dropout(0.5, name=f"{name}_dropout")(x)
        return classified(x, num_classes, name=_LOGITS)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, torchvision's, PaddleClas' two kinds, and PaddlePaddle's old ones."""
        dense = (*_HIDDEN, _LOGITS)
        places = [place for stage in self._places() for place in stage]
        plain = {place.name: f"_conv{place.number}" for place in places}
        # Only the convolutions in front of a pool are blocks there.
        last = {stage[-1].name for stage in self._places()}
        alexnet = {name: f"{key}._conv" if name in last else key for name, key in plain.items()}
        alexnet |= dict(zip(dense, ("_fc6", "_fc7", "_fc8"), strict=True))
        vgg = {place.name: f"conv_block_{place.stage}.conv{place.place}" for place in places}
        vgg |= dict(zip(dense, ("fc1", "fc2", "fc3"), strict=True))
        behind = dict.fromkeys(dense[1:], 0.5)  # VGG drops behind its dense layers
        before = dict.fromkeys(dense[:2], 0.5)  # AlexNet in front of them
        old = dict(zip(dense, ("fc6", "fc7", "fc8"), strict=True))
        old_vgg = {place.name: f"conv{place.stage}_{place.place}" for place in places} | old
        old_alexnet = {place.name: f"conv{place.number}" for place in places} | old
        return {
            "timm": KeyRules(),
            "torchvision's AlexNet": KeyRules(prefix=_torchvision(1, 4, 6)),
            "torchvision's VGG": KeyRules(prefix=_torchvision(0, 3, 6)),
            "PaddleClas' AlexNet": KeyRules("paddle", listed(alexnet), factors=before),
            "PaddleClas' VGG": KeyRules("paddle", listed(vgg), factors=behind),
            "PaddlePaddle's AlexNet": KeyRules(
                "paddle_static", listed(old_alexnet), factors=before
            ),
            "PaddlePaddle's VGG": KeyRules("paddle_static", listed(old_vgg), factors=behind),
        }

    def _places(self) -> Iterator[list[_Place]]:
        """The convolutions of each stage, named by their place among all of its layers."""
        layer = number = 0
        for stage, convolutions in enumerate(self.stages, start=1):
            places = []
            for place, one in enumerate(convolutions, start=1):
                number += 1
                places.append(_Place(f"features.{layer}", stage, place, number, one))
                layer += 2  # itself and its rectifier
            layer += 1  # the pool
            yield places

    def _convolved(self, x: Any, place: _Place) -> Any:
        one = place.convolution
        x = convolved(
            x,
            one.filters,
            one.kernel_size,
            strides=one.strides,
            padding=one.padding,
            bias=self.has_bias,
            name=place.name,
        )
        return activated(x, "relu", name=place.name)


@dataclass(frozen=True)
class _Place:
    """A convolution, and where it stands; numbers count from 1."""

    name: str
    stage: int
    place: int
    number: int
    convolution: Convolution


def _torchvision(*numbers: int) -> Renaming:
    dense = zip((*_HIDDEN, _LOGITS), numbers, strict=True)
    return listed({name: f"classifier.{number}" for name, number in dense})
