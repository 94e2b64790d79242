"""Transformers on patches of an image, all of one width.

ViT, Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1; DeiT with its distillation
token, Touvron et al. 2020, arXiv:2012.12877, section 4. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from hubcls.backbones.attention import (
    added,
    check_multiples,
    layer_normalised,
    perceived,
    quarters,
    self_attended,
    tokens,
)
from hubcls.backbones.blocks import classified, convolved
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.token_layers import FirstTokens, PositionEmbedding, PrependedToken


@dataclass(frozen=True)
class VisionTransformer:
    """A plain transformer.

    Attributes:
        width: channels of the tokens.
        depth: number of blocks.
        num_heads: heads of the attention.
        patch_size: side of the patches, in pixels.
        grid: patches along a side that there are learned positions for.
        mlp_ratio: how much wider than the tokens the hidden layers are.
        has_qkv_bias: whether queries, keys and values have biases.
        scale: of the attention's scores; None means 1/√channels of a head.
        epsilon: LayerNorm's.
        is_distilled: whether there is a distillation token with a classifier of its own.
    """

    width: int
    depth: int
    num_heads: int
    patch_size: int = 16
    grid: int = 14
    mlp_ratio: float = 4.0
    has_qkv_bias: bool = True
    scale: float | None = None
    epsilon: float = 1e-6
    is_distilled: bool = False

    def stage_outputs(self, x: Any) -> list[Any]:
        """Embedded tokens, those behind each quarter of the blocks; at last a vector.

        It is the normalised class token [B, C], with the distillation token [B, 2 C].

        Raises:
            ValueError: a side of the images is not a multiple of the patches'.
        """
        check_multiples(x, self.patch_size)
        outputs = [self._embedded(x)]
        for numbers in quarters(self.depth):
            x = outputs[-1]
            for number in numbers:
                x = self._block(x, name=f"blocks.{number}")
            outputs.append(x)
        x = FirstTokens(2 if self.is_distilled else 1, name="norm_tokens")(outputs[-1])
        x = layer_normalised(x, self.epsilon, name="norm")
        outputs[-1] = keras.layers.Flatten(name="pre_logits")(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes].

        The mean of both classifiers', where there is a distillation token.
        """
        if not self.is_distilled:
            return classified(features, num_classes, name="head")
        heads = zip(keras.ops.split(features, 2, axis=-1), ("head", "head_dist"), strict=True)
        logits = [classified(x, num_classes, name=name) for x, name in heads]
        return keras.layers.Average(dtype="float32", name="logits")(logits)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, which PaddleClas has too."""
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle")}

    def _embedded(self, x: Any) -> Any:
        size = (x.shape[1] // self.patch_size, x.shape[2] // self.patch_size)
        name = "patch_embed.proj"
        x = convolved(
            x,
            self.width,
            self.patch_size,
            strides=self.patch_size,
            padding="valid",
            bias=True,
            name=name,
        )
        x = tokens(x, name=name)
        if self.is_distilled:
            x = PrependedToken(name="dist_token")(x)
        x = PrependedToken(name="cls_token")(x)
        return PositionEmbedding((self.grid, self.grid), size, name="pos_embed")(x)

    def _block(self, x: Any, *, name: str) -> Any:
        shortcut = x
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm1")
        x = self_attended(
            x, self.num_heads, bias=self.has_qkv_bias, scale=self.scale, name=f"{name}.attn"
        )
        x = shortcut = added(x, shortcut, name=f"{name}.attn")
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm2")
        x = perceived(x, self.mlp_ratio, name=f"{name}.mlp")
        return added(x, shortcut, name=f"{name}.mlp")
