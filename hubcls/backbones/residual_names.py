"""How checkpoints of residual networks call the layers, one table entry a naming."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hubcls.backbones.key_rules import Arrays, Framework, KeyRules, Renaming, unchanged

_BLOCK = re.compile(r"layer(\d)\.(\d+)\.(.+)")
_NUMBERED = re.compile(r"(conv|bn|convs\.|bns\.)(\d)")
# PaddlePaddle letters the blocks of a stage, but numbers those of longer ones.
_MOST_LETTERS = 20


@dataclass(frozen=True)
class NamedParts:
    """What the names of a network's layers depend on.

    Attributes:
        depths: blocks of each stage.
        num_stem_convolutions: one, or several of 3×3.
        has_pooled_shortcuts: whether a pool stands before the projections' convolutions.
        dropout: rate before the classifier.
    """

    depths: tuple[int, ...]
    num_stem_convolutions: int
    has_pooled_shortcuts: bool
    dropout: float


def stem_layers(count: int) -> list[tuple[str, str]]:
    """Our names for the stem's convolutions and their BatchNorms, which are timm's."""
    if count == 1:
        return [("conv1", "bn1")]
    pairs = [(f"conv1.{3 * i}", f"conv1.{3 * i + 1}") for i in range(count - 1)]
    return [*pairs, (f"conv1.{3 * (count - 1)}", "bn1")]


def key_rules(parts: NamedParts) -> Mapping[str, KeyRules]:
    """The known namings of a network, by a name for messages."""
    rules = {"timm": KeyRules()}
    for name, naming in _NAMINGS.items():
        is_static = naming.framework == "paddle_static"
        rules[name] = KeyRules(
            naming.framework,
            _renaming(naming, parts),
            # PaddlePaddle's dropout of then; PaddleClas' later networks have none.
            factors={"fc": 1 - parts.dropout} if is_static and parts.dropout else {},
            prepared=naming.prepared,
        )
    rules["PaddlePaddle's ResNeXt-WSL"] = KeyRules("paddle", prepared=_with_statistics_of_paddle)
    return rules


@dataclass(frozen=True)
class _Naming:
    """Templates of str.format. Pairs are for a convolution and its BatchNorm.

    What counts from 0 has a 0 in its name: stages are {stage0} and {stage}, places in them
    {place0} and {place}, convolutions {i0}, {i} and {letter}. {number} is a block's in the
    network, from 0, {level} a stage's in the old files, {mark} a place's there.

    Attributes:
        framework: of the checkpoint.
        block: what stands for {block} below.
        units: a block's convolutions.
        projection: its shortcut's.
        stem: a single convolution.
        deep_stem: one of several.
        classifier: its name.
        scales: Res2Net's convolutions.
        others: more layers of a block, by our name for them.
        prepared: makes the checkpoint's keys regular.
    """

    framework: Framework
    block: str
    units: tuple[str, str]
    projection: tuple[str, str]
    stem: tuple[str, str]
    deep_stem: tuple[str, str] = ("", "")
    classifier: str = "fc"
    scales: tuple[str, str] = ("", "")
    others: Mapping[str, str] = field(default_factory=dict)
    prepared: Callable[[Arrays], Arrays] = unchanged


def _renaming(naming: _Naming, parts: NamedParts) -> Renaming:
    layers = stem_layers(parts.num_stem_convolutions)
    templates = naming.stem if len(layers) == 1 else naming.deep_stem
    outside = {"fc": naming.classifier}
    for i, pair in enumerate(layers):
        outside |= {
            own: to.format(**_counts("i", i)) for own, to in zip(pair, templates, strict=True)
        }
    number = int(parts.has_pooled_shortcuts)
    others = {f"downsample.{number + i}": to for i, to in enumerate(naming.projection)}
    others |= naming.others

    def rename(name: str) -> str:
        match = _BLOCK.fullmatch(name)
        if not match:
            return outside.get(name, name)
        values = _values(int(match[1]) - 1, int(match[2]), parts.depths)
        values["block"] = naming.block.format(**values)
        unit = _NUMBERED.fullmatch(match[3])
        if not unit:
            return others.get(match[3], "{block}." + match[3]).format(**values)
        is_scale, is_norm = unit[1].endswith("."), unit[1].startswith("bn")
        i = int(unit[2]) if is_scale else int(unit[2]) - 1
        template = (naming.scales if is_scale else naming.units)[is_norm]
        return template.format(**values, **_counts("i", i), letter=chr(ord("a") + i))

    return rename


def _values(stage: int, place: int, depths: tuple[int, ...]) -> dict[str, Any]:
    """A block's numbers for the templates; both arguments count from 0."""
    mark = chr(ord("a") + place)
    if depths[stage] > _MOST_LETTERS:
        mark = f"b{place}" if place else "a"
    number = sum(depths[:stage]) + place
    return {**_counts("stage", stage), **_counts("place", place), "number": number,
            "level": stage + 2, "late_level": stage + 4, "mark": mark}  # fmt: skip


def _counts(name: str, value: int) -> dict[str, int]:
    return {f"{name}0": value, name: value + 1}


def _replaced(*rules: tuple[str, str]) -> Callable[[Arrays], Arrays]:
    """Arrays under keys in which patterns have been replaced."""

    def prepare(arrays: Arrays) -> Arrays:
        renamed = {}
        for key, array in arrays.items():
            for pattern, replacement in rules:
                key = re.sub(pattern, replacement, key)
            renamed[key] = array
        return renamed

    return prepare


_with_statistics_of_paddle = _replaced(
    (r"\.running_mean$", "._mean"), (r"\.running_var$", "._variance")
)
# The old programs named the same layers differently from network to network.
_with_regular_names = _replaced(
    (r"^fc(_0|6)?(_weights|\.w_0)$", "fc_weights"),
    (r"^fc(_0|6)?(_offset|\.b_0)$", "fc_offset"),
    (r"^res_conv1_", "conv1_"),
    (r"_acsquare_weights$", "_weights"),
    (r"_acsquare_bias$", "_offset"),
)
_ZOO = _Naming(
    "paddle",
    block="bb_{stage0}_{place0}",
    units=("{block}.conv{i0}._conv", "{block}.conv{i0}._batch_norm"),
    projection=("{block}.short._conv", "{block}.short._batch_norm"),
    stem=("conv._conv", "conv._batch_norm"),
    deep_stem=("conv1_{i}._conv", "conv1_{i}._batch_norm"),
    classifier="out",
    scales=(
        "{block}.res{level}{mark}_branch2b_{i}._conv",
        "{block}.res{level}{mark}_branch2b_{i}._batch_norm",
    ),
    others={"se.fc1": "{block}.scale.squeeze", "se.fc2": "{block}.scale.excitation"},
    prepared=_replaced((r"^conv1\._", "conv._")),
)
_STATIC = _Naming(
    "paddle_static",
    block="{level}{mark}",
    units=("res{block}_branch2{letter}", "bn{block}_branch2{letter}"),
    projection=("res{block}_branch1", "bn{block}_branch1"),
    stem=("conv1", "bn_conv1"),
    deep_stem=("conv1_{i}", "bnv1_{i}"),
    scales=("res{block}_branch2b_{i}", "bn{block}_branch2b_{i}"),
    others={"se.fc1": "fc_res{block}_sqz", "se.fc2": "fc_res{block}_exc"},
    prepared=_with_regular_names,
)
_STATIC_SE = _Naming(
    "paddle_static",
    block="{level}_{place}",
    units=("conv{block}_x{i}", "conv{block}_x{i}_bn"),
    projection=("conv{block}_prj", "conv{block}_prj_bn"),
    stem=("conv1", "conv1_bn"),
    deep_stem=("conv1_{i}", "conv1_{i}_bn"),
    others={"se.fc1": "fc{block}_sqz", "se.fc2": "fc{block}_exc"},
    prepared=_with_regular_names,
)
_NAMINGS: Mapping[str, _Naming] = {
    "timm's RegNet": _Naming(
        "torch",
        block="s{stage}.b{place}",
        units=("{block}.conv{i}.conv", "{block}.conv{i}.bn"),
        projection=("{block}.downsample.conv", "{block}.downsample.bn"),
        stem=("stem.conv", "stem.bn"),
        classifier="head.fc",
    ),
    "timm's ResNetV2": _Naming(
        "torch",
        block="stages.{stage0}.blocks.{place0}",
        units=("{block}.conv{i}", "{block}.norm{i}"),
        projection=("{block}.downsample.conv", ""),
        stem=("stem.conv", ""),
        classifier="head.fc",
    ),
    "PaddleClas' ResNet": _Naming(
        "paddle",
        block="blocks.{number}",
        units=("{block}.conv{i0}.conv", "{block}.conv{i0}.bn"),
        projection=("{block}.short.conv", "{block}.short.bn"),
        stem=("stem.0.conv", "stem.0.bn"),
        deep_stem=("stem.{i0}.conv", "stem.{i0}.bn"),
    ),
    "PaddleClas' model zoo": _ZOO,
    "PaddleClas' RegNet": replace(_ZOO, block="s{stage}_b{place}"),
    "PaddleClas' ResNeXt-WSL": _Naming(
        "paddle",
        block="_conv{stage}_{place0}",
        units=("{block}._conv{i0}._conv", "{block}._conv{i0}._bn"),
        projection=("{block}._short._conv._conv", "{block}._short._conv._bn"),
        stem=("_conv_stem._conv", "_conv_stem._bn"),
        classifier="_out",
    ),
    "PaddleClas' ResNeSt": _Naming(
        "paddle",
        block="layer{stage}.layer{stage}_bottleneck_{place0}",
        units=("{block}.conv{i}._conv", "{block}.conv{i}._batch_norm"),
        projection=("{block}.conv4", "{block}._batch_norm"),
        stem=("stem._conv", "stem._batch_norm"),
        deep_stem=("stem.conv{i}._conv", "stem.conv{i}._batch_norm"),
        classifier="out",
        others={
            "conv2.conv": "{block}.conv2.conv1._conv",
            "conv2.bn0": "{block}.conv2.conv1._batch_norm",
            "conv2.fc1": "{block}.conv2.conv2._conv",
            "conv2.bn1": "{block}.conv2.conv2._batch_norm",
            "conv2.fc2": "{block}.conv2.conv3",
        },
    ),
    "PaddlePaddle's ResNet": _STATIC,
    "PaddlePaddle's SE-ResNeXt": _STATIC_SE,
    "PaddlePaddle's SE154": replace(_STATIC_SE, block="{late_level}_{place}"),
}
