"""A few convolutions, then attention on maps that attention itself shrinks.

LeViT, Graham et al. 2021, arXiv:2104.01136, section 4. Layers are called as in timm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.attention import Pair, added, tokens
from hubcls.backbones.attention_layers import DistanceAttention
from hubcls.backbones.blocks import (
    Style,
    activated,
    average_pooled,
    classified,
    convolved,
    dense,
    globally_pooled,
    normalised,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, listed


@dataclass(frozen=True)
class Levit:
    """A transformer on maps [B, h, w, C], with BatchNorm behind every dense layer.

    Attributes:
        widths: channels of each stage.
        depths: blocks of each stage.
        num_heads: heads of each stage; where a stage begins to shrink, there are as many
            as keys fill the channels before.
        key_width: channels of a head's queries and keys; its values have twice as many,
            four times where the map shrinks.
        grid: side of the first stage's map that the tables of distances are for.
        is_distilled: whether there is a second classifier, trained on a teacher's answers.
        style: activation and BatchNorm.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    key_width: int
    grid: int = 14
    is_distilled: bool = True
    style: Style = field(default_factory=lambda: Style("hard_silu"))

    def stage_outputs(self, x: Any) -> list[Any]:
        """The stem's map, a sixteenth of the image a side, and the map behind each stage.

        Raises:
            ValueError: the image is larger than the tables of distances.
        """
        outputs = [self._stem(x)]
        if max(outputs[0].shape[1:3]) > self.grid:
            raise ValueError(f"height and width can be {16 * self.grid} at most")
        for stage, depth in enumerate(self.depths):
            x, name = outputs[-1], f"stages.{stage}"
            if stage:
                x = self._shrunken(x, stage, name=f"{name}.downsample.attn_downsample")
                x = self._perceived(x, name=f"{name}.downsample.mlp")
            for number in range(depth):
                block = f"{name}.blocks.{number}"
                x = added(self._attended(x, stage, name=f"{block}.attn"), x, name=f"{block}.attn")
                x = self._perceived(x, name=f"{block}.mlp")
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes].

        The mean of both classifiers', where there are two.
        """
        x = globally_pooled(features, name="head.pool")
        names = ("head", "head_dist") if self.is_distilled else ("head",)
        logits = [
            classified(
                normalised(x, self.style, name=f"{name}.bn"), num_classes, name=f"{name}.linear"
            )
            for name in names
        ]
        if not self.is_distilled:
            return logits[0]
        return keras.layers.Average(dtype="float32", name="logits")(logits)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas', which are the authors' own."""
        paddle = KeyRules("paddle", self._names_of_paddle(), ignored=("*.attention_bias_idxs",))
        return {"timm": KeyRules(), "PaddleClas": paddle}

    def _names_of_paddle(self) -> Renaming:
        pairs = [(f"stem.conv{number}", f"patch_embed.{2 * number - 2}") for number in range(1, 5)]
        for number, part in enumerate(self._parts()):
            kind = part.rpartition(".")[2]
            pairs += [(f"{part}.{own}", f"blocks.{number}.{key}") for own, key in _PARTS[kind]]
        names = {"head.linear": "head.l", "head_dist.linear": "head_dist.l"}
        for own, key in pairs:
            names |= {own: key, f"{own}.linear": f"{key}.c", f"{own}.bn": f"{key}.bn"}
        return listed(names)

    def _parts(self) -> Iterator[str]:
        """Attention and dense layers by turns, which are numbered in the authors' code."""
        for stage, depth in enumerate(self.depths):
            if stage:
                yield f"stages.{stage}.downsample.attn_downsample"
                yield f"stages.{stage}.downsample.mlp"
            for number in range(depth):
                yield f"stages.{stage}.blocks.{number}.attn"
                yield f"stages.{stage}.blocks.{number}.mlp"

    def _stem(self, x: Any) -> Any:
        for number in range(1, 5):
            name, filters = f"stem.conv{number}", self.widths[0] >> (4 - number)
            x = convolved(x, filters, 3, strides=2, name=f"{name}.linear")
            x = normalised(x, self.style, name=f"{name}.bn")
            if number < 4:
                x = activated(x, self.style.activation, name=name)
        return x

    def _attended(self, x: Any, stage: int, *, name: str) -> Any:
        """Attention between all places of a map [B, h, w, C]."""
        heads, size, channels = self.num_heads[stage], x.shape[1:3], x.shape[3]
        x = self._dense(x, 4 * heads * self.key_width, name=f"{name}.qkv")
        queries, keys, values = self._split(x, heads, 4, name=name)
        x = self._biased(heads, size, stage, name=name)([queries, keys, values])
        return self._projected(x, size, channels, name=name)

    def _shrunken(self, x: Any, stage: int, *, name: str) -> Any:
        """Attention of every second place to all, which gives a map of half the size."""
        heads, size = x.shape[3] // self.key_width, x.shape[1:3]
        half = tuple(-(-side // 2) for side in size)
        both = self._dense(x, 5 * heads * self.key_width, name=f"{name}.kv")
        keys, values = self._split(both, heads, 5, name=name)
        # Windows of one place: every second row and column.
        x = average_pooled(x, 1, 2, name=f"{name}.q.down")
        queries = self._dense(x, heads * self.key_width, name=f"{name}.q.ln")
        queries = tokens(queries, name=f"{name}.q")
        x = self._biased(heads, size, stage - 1, strides=2, name=name)([queries, keys, values])
        return self._projected(x, half, self.widths[stage], name=name)

    def _biased(
        self, heads: int, size: Pair, stage: int, *, name: str, strides: int = 1
    ) -> DistanceAttention:
        return DistanceAttention(
            heads,
            reach=-(-self.grid >> stage),
            grid=size,
            strides=strides,
            name=f"{name}.attention_biases",
        )

    def _split(self, x: Any, heads: int, parts: int, *, name: str) -> list[Any]:
        """What each head holds side by side: (queries,) keys, and all else are values."""
        places, width = math.prod(x.shape[1:3]), self.key_width
        x = keras.layers.Reshape((places, heads, -1), name=f"{name}.heads")(x)
        ends = [width, 2 * width] if parts == 4 else [width]
        return [
            keras.ops.reshape(one, (-1, places, heads * one.shape[-1]))
            for one in keras.ops.split(x, ends, axis=-1)
        ]

    def _projected(self, x: Any, size: Pair, filters: int, *, name: str) -> Any:
        x = keras.layers.Reshape((*size, x.shape[-1]), name=f"{name}.map")(x)
        x = activated(x, self.style.activation, name=f"{name}.proj")
        return self._dense(x, filters, name=f"{name}.proj.ln")

    def _perceived(self, x: Any, *, name: str) -> Any:
        shortcut, channels = x, x.shape[3]
        x = self._dense(x, 2 * channels, name=f"{name}.ln1")
        x = activated(x, self.style.activation, name=f"{name}.ln1")
        return added(self._dense(x, channels, name=f"{name}.ln2"), shortcut, name=name)

    def _dense(self, x: Any, units: int, *, name: str) -> Any:
        x = dense(x, units, bias=False, name=f"{name}.linear")
        return normalised(x, self.style, name=f"{name}.bn")


# By the kind of a part: its layers, and what follows the part's number in the authors' names.
_PARTS = {
    "attn": (("qkv", "m.qkv"), ("proj.ln", "m.proj.1"), ("attention_biases", "m.attention_biases")),
    "mlp": (("ln1", "m.0"), ("ln2", "m.2")),
    "attn_downsample": (
        ("kv", "kv"),
        ("q.ln", "q.1"),
        ("proj.ln", "proj.1"),
        ("attention_biases", "attention_biases"),
    ),
}
