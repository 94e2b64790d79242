"""PNASNet-5: cells found by progressive search.

Liu et al. 2018, arXiv:1712.00559, figure 1 and section 5.1. A cell reads the outputs of the
two layers before it. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    classified,
    convolved,
    depthwise_convolved,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules

_LOGITS = "last_linear"
# Kernel sizes of the separable convolutions, by the combination and the side they are on.
_SEPARABLE = {"0_left": 5, "1_left": 7, "2_left": 5, "2_right": 3, "3_left": 3, "4_left": 3}


@dataclass(frozen=True)
class PNASNet:
    """A PNASNet.

    Attributes:
        stem_filters: channels of the first convolution.
        filters: channels of the first stage's branches; each stage has twice as many.
        num_cells: cells of each stage; all stages but the first begin with one that shrinks.
        dropout: rate before the original classifier.
        style: padding and BatchNorm.
    """

    stem_filters: int
    filters: int
    num_cells: tuple[int, ...]
    dropout: float = 0.5
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """The first convolution's output, and that of each stage's last cell.

        What a cell gives goes through a rectifier before anything reads it, but only the
        backbone's own output does so here.
        """
        x = convolved(x, self.stem_filters, 3, strides=2, padding="valid", name="conv_0.conv")
        before = x = normalised(x, self.style, name="conv_0.bn")
        right = self._entered(x, self.filters // 4, "cell_stem_0.conv_1x1")
        outputs = [x, self._combined(x, right, "cell_stem_0", strides=2, is_first=True)]
        x, last_strides = outputs[-1], 2
        for cell in self._cells():
            if cell.strides == 2:
                outputs.append(x)
            before, x = x, self._cell(before, x, cell, is_left_larger=last_strides == 2)
            last_strides = cell.strides
        # The first two are the first convolution's and the first cell's.
        return [*outputs[:2], *outputs[3:], activated(x, "relu", name="features")]

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name=_LOGITS, dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names."""
        return {"timm": KeyRules()}

    def _cells(self) -> Iterator[_Cell]:
        yield _Cell("cell_stem_1", self.filters // 2, 2)
        number = 0
        for stage, count in enumerate(self.num_cells):
            for place in range(count):
                strides = 2 if stage and not place else 1
                yield _Cell(f"cell_{number}", self.filters * 2**stage, strides)
                number += 1

    def _cell(self, before: Any, x: Any, cell: _Cell, *, is_left_larger: bool) -> Any:
        """A cell, on the outputs of the last layer and of the one before it."""
        enter = self._halved if is_left_larger else self._entered
        left = enter(before, cell.filters, f"{cell.name}.conv_prev_1x1")
        right = self._entered(x, cell.filters, f"{cell.name}.conv_1x1")
        return self._combined(left, right, cell.name, strides=cell.strides)

    def _entered(self, x: Any, filters: int, name: str, *, strides: int = 1) -> Any:
        x = activated(x, "relu", name=name)
        x = convolved(x, filters, strides=strides, name=f"{name}.conv")
        return normalised(x, self.style, name=f"{name}.bn")

    def _halved(self, x: Any, filters: int, name: str) -> Any:
        """A map of half the size: one half of the channels from the even rows, one from the odd."""
        x = activated(x, "relu", name=name)
        shifted = keras.layers.Cropping2D(((1, 0), (1, 0)), name=f"{name}.path_2_crop")(x)
        shifted = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}.path_2_pad")(shifted)
        paths = [
            convolved(path, filters // 2, strides=2, name=f"{name}.path_{place}.conv")
            for place, path in enumerate((x, shifted), start=1)
        ]
        x = keras.layers.Concatenate(name=f"{name}.concat")(paths)
        return normalised(x, self.style, name=f"{name}.final_path_bn")

    def _combined(
        self, left: Any, right: Any, name: str, *, strides: int, is_first: bool = False
    ) -> Any:
        """Five sums of two branches each, put together."""
        filters = right.shape[-1]

        def separable(x: Any, branch: str, steps: int = strides) -> Any:
            return self._separable(x, filters, f"{name}.comb_iter_{branch}", branch, steps)

        def pooled(x: Any, branch: str) -> Any:
            layer = f"{name}.comb_iter_{branch}.pool"
            return keras.layers.MaxPooling2D(3, strides, padding="same", name=layer)(x)

        def added(place: int, one: Any, other: Any) -> Any:
            return keras.layers.Add(name=f"{name}.comb_iter_{place}")([one, other])

        first = pooled(left, "0_right")
        if is_first:
            layer = f"{name}.comb_iter_0_right"
            first = convolved(first, filters, name=f"{layer}.conv")
            first = normalised(first, self.style, name=f"{layer}.bn")
        second = added(2, separable(right, "2_left"), separable(right, "2_right"))
        last = right
        if strides == 2:
            last = self._entered(right, filters, f"{name}.comb_iter_4_right", strides=2)
        sums = [
            added(0, separable(left, "0_left"), first),
            added(1, separable(right, "1_left"), pooled(right, "1_right")),
            second,
            added(3, separable(second, "3_left", 1), pooled(right, "3_right")),
            added(4, separable(left, "4_left"), last),
        ]
        return keras.layers.Concatenate(name=f"{name}.concat")(sums)

    def _separable(self, x: Any, filters: int, name: str, branch: str, strides: int) -> Any:
        """Two separable convolutions, the first of which may shrink the map."""
        # Only the first cell's left branches change the number of channels, at once.
        for place, steps in ((1, strides), (2, 1)):
            x = activated(x, "relu", name=f"{name}.act_{place}")
            layer = f"{name}.separable_{place}"
            x = depthwise_convolved(
                x,
                _SEPARABLE[branch],
                strides=steps,
                padding="same",
                name=f"{layer}.depthwise_conv2d",
            )
            x = convolved(x, filters, name=f"{layer}.pointwise_conv2d")
            x = normalised(x, self.style, name=f"{name}.bn_sep_{place}")
        return x


@dataclass(frozen=True)
class _Cell:
    """A cell behind the first: its name, the channels of a branch, and its step."""

    name: str
    filters: int
    strides: int
