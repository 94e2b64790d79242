"""Networks that aggregate their layers by trees.

DLA, Yu et al. 2018, arXiv:1707.06484, sections 3 and 4. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    classified,
    convolved_and_normalised,
    max_pooled,
)
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.layers import ResidualSum

_FIRST_TREE = 2


@dataclass(frozen=True)
class DeepLayerAggregation:
    """A deep layer aggregation network.

    Attributes:
        filters: channels of the levels; the first two are convolutions, the others trees.
        depths: convolutions of a level, or how deep its tree is.
        has_bottlenecks: whether blocks are 1×1, 3×3 and 1×1 convolutions, not two 3×3.
        groups: of channels in the 3×3 convolutions of bottlenecks.
        group_width: inner channels of a bottleneck in each group, for 64 that come out;
            half of them where there is one group.
        has_residual_roots: whether a root adds the newest of its children.
        style: activation and BatchNorm.
    """

    filters: tuple[int, ...]
    depths: tuple[int, ...]
    has_bottlenecks: bool = True
    groups: int = 1
    group_width: int = 64
    has_residual_roots: bool = False
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of every level.

        Raises:
            ValueError: the two ways through a tree would give maps of different size.
        """
        x = convolved_and_normalised(
            x, self.filters[0], 7, self.style, names=("base_layer.0", "base_layer.1")
        )
        outputs = []
        for level, (filters, depth) in enumerate(zip(self.filters, self.depths, strict=True)):
            name = f"level{level}"
            if level >= _FIRST_TREE:
                x = self._tree(
                    x, filters, depth, name, _Place(strides=2, keeps=level > _FIRST_TREE)
                )
            else:
                for layer in range(depth):
                    names = (f"{name}.{3 * layer}", f"{name}.{3 * layer + 1}")
                    strides = 2 if level and not layer else 1
                    x = convolved_and_normalised(
                        x, filters, 3, self.style, names=names, strides=strides
                    )
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas', which are the same."""
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle")}

    def _tree(self, x: Any, filters: int, depth: int, name: str, place: _Place) -> Any:
        """Two sub-trees, or two blocks and the root that joins them with all children."""
        bottom = self._pooled(x, name) if place.strides == 2 else x
        children = [*place.children, bottom] if place.keeps else list(place.children)
        if depth > 1:
            left = self._tree(x, filters, depth - 1, f"{name}.tree1", _Place(place.strides))
            inner = _Place(children=(*children, left))
            return self._tree(left, filters, depth - 1, f"{name}.tree2", inner)
        shortcut = bottom
        if bottom.shape[-1] != filters:
            names = (f"{name}.project.0", f"{name}.project.1")
            shortcut = convolved_and_normalised(
                bottom, filters, 1, self.style, names=names, activation="linear"
            )
        left = self._block(x, filters, f"{name}.tree1", shortcut, strides=place.strides)
        right = self._block(left, filters, f"{name}.tree2", left)
        return self._root([right, left, *children], filters, f"{name}.root")

    def _root(self, children: list[Any], filters: int, name: str) -> Any:
        x = keras.layers.Concatenate(name=f"{name}.join")(children)
        x = convolved_and_normalised(
            x, filters, 1, self.style, names=(f"{name}.conv", f"{name}.bn"), activation="linear"
        )
        if self.has_residual_roots:
            x = keras.layers.Add(name=f"{name}.sum")([x, children[0]])
        return activated(x, self.style.activation, name=name)

    def _pooled(self, x: Any, name: str) -> Any:
        # An outer tree's map is the same as its first sub-tree's, whose block it must fit.
        if x.shape[1] % 2 or x.shape[2] % 2:
            stride = 2 ** (len(self.filters) - _FIRST_TREE)
            raise ValueError(f"half of each side, rounded up, must be a multiple of {stride}")
        return max_pooled(x, 2, 2, name=f"{name}.downsample")

    def _block(self, x: Any, filters: int, name: str, shortcut: Any, *, strides: int = 1) -> Any:
        """A residual block whose shortcut comes from outside."""
        layers: list[tuple[int, int, int, int]] = [(filters, 3, strides, 1), (filters, 3, 1, 1)]
        if self.has_bottlenecks:
            inner = filters * self.group_width // 64 * self.groups // 2
            layers = [(inner, 1, 1, 1), (inner, 3, strides, self.groups), (filters, 1, 1, 1)]
        for number, (width, side, step, groups) in enumerate(layers, start=1):
            x = convolved_and_normalised(
                x,
                width,
                side,
                self.style,
                names=(f"{name}.conv{number}", f"{name}.bn{number}"),
                strides=step,
                groups=groups,
                activation=None if number < len(layers) else "linear",
            )
        x = ResidualSum(name=f"{name}.sum")([shortcut, x])
        return activated(x, self.style.activation, name=name)


@dataclass(frozen=True)
class _Place:
    """What a tree is told by the one around it.

    Attributes:
        strides: of its first convolution.
        keeps: whether its own input, shrunk, is one of its children.
        children: outputs that its root joins.
    """

    strides: int = 1
    keeps: bool = False
    children: tuple[Any, ...] = ()
