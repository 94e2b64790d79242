"""Other middles of a residual bottleneck than one convolution: Res2Net's and ResNeSt's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    average_pooled,
    convolved,
    convolved_and_normalised,
    globally_pooled,
    normalised,
)


@dataclass(frozen=True)
class MultiScale:
    """Convolutions on shares of the channels, each with the one before it added.

    Attributes:
        num_scales: shares; the last is not convolved.
        pools_first: every stage's first block treats its shares apart and pools the last,
            as the authors' code does; else only blocks that shrink the map.
        counts_padding: whether the pool's mean counts the zeros around the map.
    """

    num_scales: int
    pools_first: bool = False
    counts_padding: bool = False


@dataclass(frozen=True)
class SplitAttention:
    """A convolution whose splits of the channels are weighted against each other.

    Attributes:
        radix: number of splits; one is weighted by itself.
        is_pooled_first: whether the pool that shrinks the map stands before it.
        has_bias: of the attention's first convolution, in front of a BatchNorm.
        counts_padding: whether the pool's mean counts the zeros around the map.
    """

    radix: int
    is_pooled_first: bool = False
    has_bias: bool = True
    counts_padding: bool = True


def multi_scale(
    x: Any, rule: MultiScale, style: Style, *, name: str, strides: int, is_first: bool
) -> Any:
    """Feature maps with receptive fields of several sizes, channels and order as given.

    Res2Net, Gao et al. 2019, arXiv:1904.01169, section 3.1.

    Args:
        x: feature maps; their channels are a multiple of the number of scales.
        rule: how many scales, and what happens where the map shrinks.
        style: padding, BatchNorm and non-linearity.
        name: of the block.
        strides: of the convolutions.
        is_first: whether the block is its stage's first.
    """
    is_apart = strides > 1 or (is_first and rule.pools_first)
    shares = keras.ops.split(x, rule.num_scales, axis=-1)
    outputs: list[Any] = []
    for number, share in enumerate(shares[:-1]):
        if outputs and not is_apart:
            share = keras.layers.Add(name=f"{name}.add{number}")([share, outputs[-1]])
        names = (f"{name}.convs.{number}", f"{name}.bns.{number}")
        width = share.shape[-1]
        outputs.append(
            convolved_and_normalised(share, width, 3, style, names=names, strides=strides)
        )
    last = shares[-1]
    if is_apart:
        last = _pooled(last, strides, counts_padding=rule.counts_padding, name=f"{name}.pool")
    return keras.layers.Concatenate(name=f"{name}.concat")([*outputs, last])


def split_attention(
    x: Any, rule: SplitAttention, style: Style, *, name: str, strides: int, groups: int
) -> Any:
    """Feature maps as a sum of splits, each channel weighted by what all splits hold.

    ResNeSt, Zhang et al. 2020, arXiv:2004.08955, section 3.1; the map is shrunk by means
    of 3×3 as in section 3.2.

    Args:
        x: feature maps; as many channels come out.
        rule: how many splits, and where the pool stands.
        style: padding, BatchNorm and non-linearity.
        name: of the block.
        strides: of the pool.
        groups: the paper's cardinality.
    """
    width, radix = int(x.shape[-1]), rule.radix
    pool = f"{name}.avd"
    if strides > 1 and rule.is_pooled_first:
        x = _pooled(x, strides, counts_padding=rule.counts_padding, name=pool)
    name = f"{name}.conv2"
    names = (f"{name}.conv", f"{name}.bn0")
    x = convolved_and_normalised(x, width * radix, 3, style, names=names, groups=groups * radix)
    height, columns = x.shape[1:3]
    splits = keras.layers.Reshape((height, columns, radix, width), name=f"{name}.splits")(x)
    gates = globally_pooled(keras.ops.sum(splits, axis=3), name=f"{name}.gap", keepdims=True)
    hidden = max(width * radix // 4, 32)
    gates = convolved(gates, hidden, groups=groups, bias=rule.has_bias, name=f"{name}.fc1")
    gates = activated(normalised(gates, style, name=f"{name}.bn1"), "relu", name=f"{name}.bn1")
    gates = convolved(gates, width * radix, groups=groups, bias=True, name=f"{name}.fc2")
    x = keras.ops.sum(splits * _gates(gates, radix, groups, name=name), axis=3)
    if strides > 1 and not rule.is_pooled_first:
        x = _pooled(x, strides, counts_padding=rule.counts_padding, name=pool)
    return x


def _gates(x: Any, radix: int, groups: int, *, name: str) -> Any:
    """Weights [B, 1, 1, radix, C] that add up to 1 over the splits; one is a sigmoid's.

    The channels lie by group, then by split.
    """
    width = int(x.shape[-1]) // radix
    if radix == 1:
        x = activated(x, "sigmoid", name=f"{name}.fc2")
        return keras.layers.Reshape((1, 1, 1, width), name=f"{name}.gates")(x)
    x = keras.layers.Reshape((groups, radix, width // groups), name=f"{name}.groups")(x)
    x = keras.layers.Permute((2, 1, 3), name=f"{name}.permute")(keras.ops.softmax(x, axis=2))
    return keras.layers.Reshape((1, 1, radix, width), name=f"{name}.gates")(x)


def _pooled(x: Any, strides: int, *, counts_padding: bool, name: str) -> Any:
    """Means of 3×3 windows around every `strides`-th pixel."""
    pooled = average_pooled(x, 3, strides, padding=1, name=name)
    if counts_padding:
        return pooled
    inside = keras.ops.pad(keras.ops.ones_like(x[:1, :, :, :1]), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return pooled / keras.ops.average_pool(inside, 3, strides)
