"""Attention in windows that move by half of their side from block to block.

Swin, Liu et al. 2021, arXiv:2103.14030, section 3. Layers are called as in timm.
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
    windows,
)
from hubcls.backbones.attention_layers import WindowAttention
from hubcls.backbones.blocks import classified, convolved, dense
from hubcls.backbones.key_rules import KeyRules, substituted

# Tables that follow from the window's size.
_IGNORED = ("*.relative_position_index", "*.attn_mask")


@dataclass(frozen=True)
class Swin:
    """A transformer with shifted windows, on maps [B, h, w, C] throughout.

    Attributes:
        width: channels of the first stage; each stage has twice as many as the one before.
        depths: blocks of each stage.
        num_heads: heads of each stage.
        window: side of the windows.
        patch_size: side of the patches, in pixels.
        mlp_ratio: how much wider than the map the hidden layers are.
        epsilon: LayerNorm's.
    """

    width: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]
    window: int = 7
    patch_size: int = 4
    mlp_ratio: float = 4.0
    epsilon: float = 1e-5

    def stage_outputs(self, x: Any) -> list[Any]:
        """Embedded patches, and the map behind each stage; the last is normalised."""
        name, side = "patch_embed.proj", self.patch_size
        x = padded_to_multiples(x, (side, side), name=name)
        x = convolved(x, self.width, side, strides=side, padding="valid", bias=True, name=name)
        outputs = [layer_normalised(x, self.epsilon, name="patch_embed.norm")]
        for stage, depth in enumerate(self.depths):
            x = outputs[-1]
            if stage:
                x = self._merged(x, name=f"layers.{stage}.downsample")
            for number in range(depth):
                name = f"layers.{stage}.blocks.{number}"
                x = self._block(x, self.num_heads[stage], is_shifted=number % 2 == 1, name=name)
            outputs.append(x)
        outputs[-1] = layer_normalised(outputs[-1], self.epsilon, name="norm")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="head.fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and those of Microsoft's code, which PaddleClas took over."""
        prefix = substituted(
            # There, a stage ends with merging; here, the next one begins with it.
            (r"layers\.(\d+)\.downsample(.*)", lambda i, end: f"layers.{i - 1}.downsample{end}"),
            (r"head\.fc", "head"),
        )
        return {
            "timm": KeyRules(),
            "Microsoft's": KeyRules(prefix=prefix, ignored=_IGNORED),
            "PaddleClas": KeyRules("paddle", prefix, ignored=_IGNORED),
        }

    def _merged(self, x: Any, *, name: str) -> Any:
        """Maps [B, h/2, w/2, 2 C]: the four neighbours of each place, column by column."""
        x = padded_to_multiples(x, (2, 2), name=name)
        height, width, channels = x.shape[1:]
        x = keras.ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
        x = keras.ops.transpose(x, (0, 1, 3, 4, 2, 5))
        x = keras.ops.reshape(x, (-1, height // 2, width // 2, 4 * channels))
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm")
        return dense(x, 2 * channels, bias=False, name=f"{name}.reduction")

    def _block(self, x: Any, num_heads: int, *, is_shifted: bool, name: str) -> Any:
        shortcut = x
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm1")
        x = self._attended(x, num_heads, is_shifted=is_shifted, name=f"{name}.attn")
        x = shortcut = added(x, shortcut, name=f"{name}.attn")
        x = layer_normalised(x, self.epsilon, name=f"{name}.norm2")
        x = perceived(x, self.mlp_ratio, name=f"{name}.mlp")
        return added(x, shortcut, name=f"{name}.mlp")

    def _attended(self, x: Any, num_heads: int, *, is_shifted: bool, name: str) -> Any:
        channels, size = x.shape[3], x.shape[1:3]
        window = tuple(min(self.window, side) for side in size)
        step = self.window // 2 if is_shifted else 0
        # One window that covers a whole side has no neighbours to shift to.
        down, right = (step if side > self.window else 0 for side in size)
        if down or right:
            x = keras.ops.roll(x, (-down, -right), axis=(1, 2))
        x = padded_to_multiples(x, window, name=name)
        grid = x.shape[1:3]
        x = dense(windows(x, window), 3 * channels, name=f"{name}.qkv")
        x = WindowAttention(
            num_heads,
            reach=self.window,
            grid=grid,
            window=window,
            shift=(down, right),
            name=f"{name}.relative_position_bias_table",
        )(keras.ops.split(x, 3, axis=-1))
        x = dense(x, channels, name=f"{name}.proj")
        x = map_of_windows(x, window, size, name=name)
        return keras.ops.roll(x, (down, right), axis=(1, 2)) if down or right else x
