"""RepVGG: nothing but 3×3 convolutions, the sums of the branches of its training.

Ding et al. 2021, arXiv:2101.03697, sections 3.3 and 3.4. The network here is the fused
one; checkpoints with branches are fused as they are read. Layers are called as in timm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hubcls.backbones.blocks import activated, classified, convolved
from hubcls.backbones.key_rules import Arrays, KeyRules, substituted

_BN_EPSILON = 1e-5
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RepVGG:
    """A fused RepVGG.

    Attributes:
        stem_filters: channels of the first convolution (stride 2).
        num_blocks: convolutions of each stage; the first halves the image.
        filters: channels of each stage.
        groups: of every second convolution, counted through all stages.
    """

    stem_filters: int
    num_blocks: tuple[int, ...]
    filters: tuple[int, ...]
    groups: int = 1

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the first convolution and of every stage."""
        x = _rectified(x, self.stem_filters, strides=2, name="stem.reparam_conv")
        outputs = [x]
        number = 0
        for stage, (count, filters) in enumerate(zip(self.num_blocks, self.filters, strict=True)):
            for block in range(count):
                number += 1
                x = _rectified(
                    x,
                    filters,
                    strides=2 if block == 0 else 1,
                    groups=1 if number % 2 else self.groups,
                    name=f"stages.{stage}.{block}.reparam_conv",
                )
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="head.fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, the authors', and PaddleClas'; all of them with branches or fused."""
        authors = substituted(
            (r"stem\.reparam_conv", "stage0.rbr_reparam"),
            (
                r"stages\.(\d+)\.(\d+)\.reparam_conv",
                lambda i, j: f"stage{i + 1}.{j}.rbr_reparam",
            ),
            (r"head\.fc", "linear"),
        )
        return {
            "timm": KeyRules(prepared=partial(fused, parts=_TIMM)),
            "the authors'": KeyRules("torch", authors, prepared=partial(fused, parts=_AUTHORS)),
            "PaddleClas": KeyRules("paddle", authors, prepared=partial(fused, parts=_PADDLE)),
        }


@dataclass(frozen=True)
class Parts:
    """What a block's branches are called, and the statistics of their BatchNorm."""

    wide: str
    narrow: str
    identity: str
    fused: str
    statistics: tuple[str, str] = ("running_mean", "running_var")

    def leaves(self, branch: str) -> list[str]:
        """Keys of a branch's BatchNorm: scale, offset, mean and variance."""
        ending = "" if branch == self.identity else ".bn"
        return [f"{branch}{ending}.{leaf}" for leaf in ("weight", "bias", *self.statistics)]


_TIMM = Parts("conv_kxk", "conv_1x1", "identity", "reparam_conv")
_AUTHORS = Parts("rbr_dense", "rbr_1x1", "rbr_identity", "rbr_reparam")
_PADDLE = replace(_AUTHORS, statistics=("_mean", "_variance"))


def fused(arrays: Arrays, *, parts: Parts) -> Arrays:
    """A checkpoint with every block's branches added up to one convolution with a bias.

    Section 3.3 and figure 4 of the paper: the 1×1 convolution is a 3×3 one that is zero
    around its middle, and so is the identity. An incomplete block is left as it is.

    Args:
        arrays: the checkpoint, kernels [O, I, h, w].
        parts: what it calls the branches.
    """
    result = dict(arrays)
    for key in arrays:
        block, found, _ = key.partition(f".{parts.wide}.conv.weight")
        if not found:
            continue
        branches = [parts.wide, parts.narrow]
        if all(f"{block}.{leaf}" in arrays for leaf in parts.leaves(parts.identity)):
            branches.append(parts.identity)
        keys = [f"{part}.conv.weight" for part in branches[:2]]
        keys += [leaf for part in branches for leaf in parts.leaves(part)]
        if all(f"{block}.{key}" in arrays for key in keys):
            values = [result.pop(f"{block}.{key}").astype(np.float64) for key in keys]
            kernel, bias = _added_up(values[0], values[1], values[2:])
            result[f"{block}.{parts.fused}.weight"] = kernel.astype(np.float32)
            result[f"{block}.{parts.fused}.bias"] = bias.astype(np.float32)
    return result


def _added_up(
    wide: _Numbers, narrow: _Numbers, leaves: list[_Numbers]
) -> tuple[_Numbers, _Numbers]:
    """Kernel [O, I, 3, 3] and bias [O] of kernels and of four vectors for each branch."""
    outputs = np.arange(len(wide))
    identity = np.zeros_like(wide)
    identity[outputs, outputs % wide.shape[1], 1, 1] = 1
    kernels = (wide, np.pad(narrow, ((0, 0), (0, 0), (1, 1), (1, 1))), identity)
    kernel, bias = np.zeros_like(wide), np.zeros(len(wide))
    for branch, (gamma, beta, mean, variance) in zip(kernels, _fours(leaves), strict=False):
        scale = gamma / np.sqrt(variance + _BN_EPSILON)
        kernel += scale[:, None, None, None] * branch
        bias += beta - mean * scale
    return kernel, bias


def _fours(values: list[_Numbers]) -> Iterator[list[_Numbers]]:
    return (values[start : start + 4] for start in range(0, len(values), 4))


def _rectified(x: Any, filters: int, *, name: str, strides: int, groups: int = 1) -> Any:
    x = convolved(x, filters, 3, strides=strides, groups=groups, bias=True, name=name)
    return activated(x, "relu", name=name)
