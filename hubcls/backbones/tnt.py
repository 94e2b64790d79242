"""Transformers whose tokens hold a transformer: pixels inside of patches.

TNT, Han et al. 2021, arXiv:2103.00112, section 2.2. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hubcls.backbones.attention import (
    added,
    check_multiples,
    layer_normalised,
    perceived,
    quarters,
)
from hubcls.backbones.attention_layers import Attention
from hubcls.backbones.blocks import classified, dense
from hubcls.backbones.key_rules import Arrays, KeyRules
from hubcls.backbones.token_layers import (
    FirstTokens,
    PatchConv2D,
    PixelPositions,
    PositionEmbedding,
    PrependedToken,
)


@dataclass(frozen=True)
class TransformerInTransformer:
    """A transformer of patches [B, N, C] above one of their pixels [B, N, places, c].

    Attributes:
        width: channels of the patches.
        pixel_width: channels of the pixels.
        depth: number of blocks.
        num_heads: heads of the patches' attention.
        num_pixel_heads: heads of the pixels'.
        patch_size: side of the patches, in pixels of the image.
        pixel_size: side of the transformer's pixels, in those of the image.
        grid: patches along a side that there are learned positions for.
        mlp_ratio: how much wider than the tokens the hidden layers are.
        epsilon: LayerNorm's.
    """

    width: int
    pixel_width: int
    depth: int
    num_heads: int
    num_pixel_heads: int = 4
    patch_size: int = 16
    pixel_size: int = 4
    grid: int = 14
    mlp_ratio: float = 4.0
    epsilon: float = 1e-5

    def stage_outputs(self, x: Any) -> list[Any]:
        """Embedded patches, those behind each quarter of the blocks; at last a vector.

        It is the normalised class token [B, C].

        Raises:
            ValueError: a side of the images is not a multiple of the patches'.
        """
        check_multiples(x, self.patch_size)
        size = (x.shape[1] // self.patch_size, x.shape[2] // self.patch_size)
        pixels = PatchConv2D(
            self.pixel_width,
            7,
            strides=self.pixel_size,
            patch_size=self.patch_size,
            name="pixel_embed.proj",
        )(x)
        pixels = PixelPositions(self.patch_size // self.pixel_size, name="pixel_pos")(pixels)
        x = self._collected(pixels, bias=True)
        x = PrependedToken(name="cls_token")(x)
        outputs = [PositionEmbedding((self.grid, self.grid), size, name="patch_pos")(x)]
        for numbers in quarters(self.depth):
            x = outputs[-1]
            for number in numbers:
                pixels, x = self._block(pixels, x, name=f"blocks.{number}.")
            outputs.append(x)
        x = FirstTokens(1, name="norm_tokens")(x)
        x = layer_normalised(x, self.epsilon, name="norm")
        outputs[-1] = keras.layers.Flatten(name="pre_logits")(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="head")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, which PaddleClas has too; there, the pixels' places lie in a row."""
        return {
            "timm": KeyRules(),
            "PaddleClas": KeyRules("paddle", prepared=_with_square_of_places),
        }

    def _block(self, pixels: Any, patches: Any, *, name: str) -> tuple[Any, Any]:
        """Pixels among themselves, their patch with what they say, patches among themselves."""
        pixels = self._attended(pixels, self.num_pixel_heads, ("norm_in", "attn_in"), name)
        pixels = self._perceived(pixels, ("norm_mlp_in", "mlp_in"), name)
        said = self._collected(pixels, bias=False, name=name)
        # The class token has no pixels.
        said = keras.layers.ZeroPadding1D((1, 0), name=f"{name}proj_pad")(said)
        patches = keras.layers.Add(name=f"{name}proj_add")([patches, said])
        patches = self._attended(patches, self.num_heads, ("norm_out", "attn_out"), name)
        return pixels, self._perceived(patches, ("norm_mlp", "mlp"), name)

    def _collected(self, pixels: Any, *, bias: bool, name: str = "") -> Any:
        """All pixels of a patch as one token [B, N, C]."""
        size = (pixels.shape[1], pixels.shape[2] * pixels.shape[3])
        x = keras.layers.Reshape(size, name=f"{name}proj_tokens")(pixels)
        x = layer_normalised(x, self.epsilon, name=f"{name}norm1_proj")
        x = dense(x, self.width, bias=bias, name=f"{name}proj")
        return layer_normalised(x, self.epsilon, name=f"{name}norm2_proj")

    def _attended(self, x: Any, num_heads: int, names: tuple[str, str], prefix: str) -> Any:
        channels, shortcut = x.shape[-1], x
        norm, name = (f"{prefix}{name}" for name in names)
        x = layer_normalised(x, self.epsilon, name=norm)
        both = dense(x, 2 * channels, bias=False, name=f"{name}.qk")
        queries, keys = keras.ops.split(both, 2, axis=-1)
        values = dense(x, channels, bias=False, name=f"{name}.v")
        x = Attention(num_heads, name=f"{name}.product")([queries, keys, values])
        return added(dense(x, channels, name=f"{name}.proj"), shortcut, name=name)

    def _perceived(self, x: Any, names: tuple[str, str], prefix: str) -> Any:
        shortcut = x
        norm, name = (f"{prefix}{name}" for name in names)
        x = layer_normalised(x, self.epsilon, name=norm)
        return added(perceived(x, self.mlp_ratio, name=name), shortcut, name=name)


def _with_square_of_places(arrays: Arrays) -> Arrays:
    """The checkpoint with the pixels' positions [1, places, c] as timm's [1, c, rows, columns]."""
    row = arrays.get("pixel_pos")
    if row is None or row.ndim != 3:
        return arrays
    side = round(row.shape[1] ** 0.5)
    square = np.reshape(np.swapaxes(row, 1, 2), (1, row.shape[2], side, -1))
    return {**arrays, "pixel_pos": square}
