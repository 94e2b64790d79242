"""Attention on maps of four sizes, with few keys for all or within windows.

Twins, Chu et al. 2021, arXiv:2104.13840: PCPVT (section 3.1) lets every place ask a
shrunken map; SVT (section 3.2) does so in every second block and looks into windows in the
others. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from hubcls.backbones.attention import (
    added,
    layer_normalised,
    map_of_windows,
    padded_to_multiples,
    perceived,
    self_attended,
    tokens,
    windows,
)
from hubcls.backbones.attention_layers import Attention
from hubcls.backbones.blocks import classified, convolved, dense, depthwise_convolved
from hubcls.backbones.key_rules import KeyRules

# The normalisations behind convolutions keep PyTorch's default.
_EPSILON_OF_EMBEDDINGS = 1e-5


@dataclass(frozen=True)
class Stage:
    """Blocks on maps of one size.

    Attributes:
        depth: number of blocks.
        width: channels of the map.
        num_heads: heads of the attention.
        reduction: how much smaller the map is that gives keys and values.
        mlp_ratio: how much wider than the map the hidden layers are.
    """

    depth: int
    width: int
    num_heads: int
    reduction: int
    mlp_ratio: float = 4.0


@dataclass(frozen=True)
class Twins:
    """A transformer on maps [B, h, w, C] throughout.

    Attributes:
        stages: the first on patches of `patch_size`, the others on half of the map before.
        window: side of the windows that blocks 0, 2, 4 … look into; None means no windows.
        patch_size: side of the patches, in pixels.
        epsilon: LayerNorm's in the blocks.
    """

    stages: tuple[Stage, ...]
    window: int | None = None
    patch_size: int = 4
    epsilon: float = 1e-6

    def stage_outputs(self, x: Any) -> list[Any]:
        """Embedded patches, and the map behind each stage; the last is normalised."""
        outputs = []
        for place, stage in enumerate(self.stages):
            x = self._embedded(x, stage.width, 2 if place else self.patch_size, place=place)
            if not place:
                outputs.append(x)
            for number in range(stage.depth):
                x = self._block(x, stage, number, name=f"blocks.{place}.{number}")
                if number == 0:
                    x = self._positioned(x, name=f"pos_block.{place}.proj.0")
            outputs.append(x)
        outputs[-1] = layer_normalised(x, self.epsilon, name="norm")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="head")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, which PaddleClas has too."""
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle")}

    def _embedded(self, x: Any, width: int, side: int, *, place: int) -> Any:
        name = f"patch_embeds.{place}"
        x = convolved(x, width, side, strides=side, padding="valid", bias=True, name=f"{name}.proj")
        return layer_normalised(x, _EPSILON_OF_EMBEDDINGS, name=f"{name}.norm")

    def _positioned(self, x: Any, *, name: str) -> Any:
        """What a place sees around it, zeros of the edge included, tells it where it stands."""
        around = depthwise_convolved(x, 3, bias=True, name=name)
        return keras.layers.Add(name=f"{name}_add")([x, around])

    def _block(self, x: Any, stage: Stage, number: int, *, name: str) -> Any:
        shortcut = x
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm1")
        if self.window and number % 2 == 0:
            x = _attended_in_windows(x, stage.num_heads, self.window, name=f"{name}.attn")
        else:
            x = _attended(x, stage, name=f"{name}.attn")
        x = shortcut = added(x, shortcut, name=f"{name}.attn")
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm2")
        x = perceived(x, stage.mlp_ratio, name=f"{name}.mlp")
        return added(x, shortcut, name=f"{name}.mlp")


def _attended_in_windows(x: Any, num_heads: int, window: int, *, name: str) -> Any:
    size, sides = x.shape[1:3], (window, window)
    x = windows(padded_to_multiples(x, sides, name=name), sides)
    return map_of_windows(self_attended(x, num_heads, name=name), sides, size, name=name)


def _attended(x: Any, stage: Stage, *, name: str) -> Any:
    """Every place asks; a convolution shrinks the map that answers."""
    map_, side = x, stage.reduction
    queries = dense(tokens(x, name=name), stage.width, name=f"{name}.q")
    if side > 1:
        x = convolved(
            x, stage.width, side, strides=side, padding="valid", bias=True, name=f"{name}.sr"
        )
        x = layer_normalised(x, _EPSILON_OF_EMBEDDINGS, name=f"{name}.norm")
    keys_and_values = dense(tokens(x, name=f"{name}.kv"), 2 * stage.width, name=f"{name}.kv")
    keys, values = keras.ops.split(keys_and_values, 2, axis=-1)
    x = Attention(stage.num_heads, name=f"{name}.product")([queries, keys, values])
    x = dense(x, stage.width, name=f"{name}.proj")
    return keras.layers.Reshape(map_.shape[1:], name=f"{name}.map")(x)
