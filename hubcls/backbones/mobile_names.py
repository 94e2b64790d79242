"""How timm, EfficientNet-PyTorch and PaddleClas call the layers of mobile networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hubcls.backbones.key_rules import Framework, KeyRules, Renaming, listed
from hubcls.backbones.mobile_blocks import Block, Role

_ROLES: tuple[Role, ...] = (
    *("expand", "expand_bn", "depthwise", "depthwise_bn"),
    *("reduce", "reduce_bn", "restore", "project", "project_bn"),
)
_MOST_PARTS = 5  # depthwise kernels of one block of MixNet


@dataclass(frozen=True)
class Places:
    """What a network's layers are called here.

    Attributes:
        stages: the blocks of each stage.
        top: the last convolution and its BatchNorm.
    """

    stages: tuple[tuple[Block, ...], ...]
    top: tuple[str, str]


@dataclass(frozen=True)
class _Naming:
    """Another naming.

    Attributes:
        outer: its names of the stem, the top, both with BatchNorm, of the layer behind the
            pooling and of the classifier; "-" is one that its networks have not.
        block: what the names of a block's layers begin with.
        parts: what they end with, in the order of `_ROLES`.
        framework: how its keys end.
        drops_when_inferring: whether dropout scales what it keeps, not what it learns from.
    """

    outer: str
    block: Callable[[Block], str]
    parts: Callable[[Block], tuple[str, ...]]
    framework: Framework = "paddle"
    drops_when_inferring: bool = False

    def rules(self, places: Places, dropout: float) -> KeyRules:
        factors = {"classifier": 1 - dropout} if self.drops_when_inferring else {}
        return KeyRules(self.framework, self._renaming(places), factors=factors)

    def _renaming(self, places: Places) -> Renaming:
        own = ("classifier", "conv_head", *reversed(places.top), "bn1", "conv_stem")
        # Where "conv_head" is the top, there is no layer behind the pooling.
        names = dict(zip(own, reversed(self.outer.split()), strict=True))
        for block in (block for stage in places.stages for block in stage):
            theirs = dict(zip(_ROLES, self.parts(block), strict=True))
            for role, name in block.layers().items():
                names[name] = f"{self.block(block)}{theirs[role]}"
                for part in range(_MOST_PARTS):
                    names[f"{name}.{part}"] = f"{names[name]}.{part}"
        return listed(names)


def mobile_key_rules(places: Places, *, dropout: float) -> Mapping[str, KeyRules]:
    """The known namings of these networks' checkpoints.

    Args:
        places: the names here.
        dropout: rate before the classifier, which PaddleClas' MobileNetV3 and PP-LCNet
            apply when they infer, too.
    """
    namings = {**_NAMINGS, "PaddleClas' MixNet": _of_mixnet(places)}
    known = {name: naming.rules(places, dropout) for name, naming in namings.items()}
    return {"timm": KeyRules(), **known}


def _same(parts: str) -> Callable[[Block], tuple[str, ...]]:
    """The endings of all blocks alike, "-" for layers that none of them has."""
    return lambda block: tuple(parts.split())


def _of_v2(block: Block) -> str:
    stage = f"conv{block.stage + 2}"
    return f"{stage}.{stage}_{block.place + 1}" if block.place else f"{stage}._first_block"


def _of_lcnet(block: Block) -> str:
    # Its fifth stage is two of ours, the first of two blocks.
    if block.stage == 4:
        return f"blocks5.{block.place + 2}."
    return f"blocks{min(block.stage, 4) + 2}.{block.place}."


def _of_static_v1(block: Block) -> str:
    if block.number < 6:
        return f"conv{block.number // 2 + 2}_{block.number % 2 + 1}"
    return f"conv5_{block.number - 5}" if block.number < 12 else "conv6"


def _of_mixnet(places: Places) -> _Naming:
    def name(block: Block) -> str:
        if block.stage == 0:
            return "features.init_block.conv2"
        # Its fourth stage is two of ours: the image shrinks in its middle.
        before = len(places.stages[4]) if block.stage == 5 else 0
        return f"features.stage{min(block.stage, 4)}.unit{before + block.place + 1}"

    return _Naming(
        "features.init_block.conv1.conv features.init_block.conv1.bn"
        " features.final_block.conv features.final_block.bn - output",
        name,
        _same(
            ".exp_conv.conv .exp_conv.bn .conv1.conv .conv1.bn"
            " .se.conv1 - .se.conv2 .conv2.conv .conv2.bn"
        ),
    )


def _counted(block: Block) -> tuple[str, ...]:
    """Endings in PaddleClas' ReXNet: all layers are counted, those without weights too."""
    depthwise = 0 if block.is_separable else 3
    project = depthwise + (4 if block.squeezed else 3)
    gate = (f"{depthwise + 2}.fc.{place}" for place in (0, 1, 3))
    return "0", "1", f"{depthwise}", f"{depthwise + 1}", *gate, f"{project}", f"{project + 1}"


_NAMINGS: Mapping[str, _Naming] = {
    "timm's ReXNet": _Naming(
        "stem.conv stem.bn features.16.conv features.16.bn - head.fc",
        lambda block: f"features.{block.number}.",
        _same(
            "conv_exp.conv conv_exp.bn conv_dw.conv conv_dw.bn"
            " se.fc1 se.bn se.fc2 conv_pwl.conv conv_pwl.bn"
        ),
        "torch",
    ),
    "EfficientNet-PyTorch": _Naming(
        "_conv_stem _bn0 _conv_head _bn1 - _fc",
        lambda block: f"_blocks.{block.number}.",
        _same("_expand_conv _bn0 _depthwise_conv _bn1 _se_reduce - _se_expand _project_conv _bn2"),
        "torch",
    ),
    "PaddleClas' MobileNetV1": _Naming(
        "conv.conv conv.bn - - - fc",
        lambda block: f"blocks.{block.number}.",
        _same(
            "- - depthwise_conv.conv depthwise_conv.bn - - - pointwise_conv.conv pointwise_conv.bn"
        ),
    ),
    "PaddleClas' MobileNetV2": _Naming(
        "conv1._conv conv1._batch_norm conv9._conv conv9._batch_norm - out",
        _of_v2,
        _same(
            "._expand_conv._conv ._expand_conv._batch_norm"
            " ._bottleneck_conv._conv ._bottleneck_conv._batch_norm"
            " - - - ._linear_conv._conv ._linear_conv._batch_norm"
        ),
    ),
    "PaddleClas' MobileNetV3": _Naming(
        "conv.conv conv.bn last_second_conv.conv last_second_conv.bn last_conv fc",
        lambda block: f"blocks.{block.number}.",
        _same(
            "expand_conv.conv expand_conv.bn bottleneck_conv.conv bottleneck_conv.bn"
            " mid_se.conv1 - mid_se.conv2 linear_conv.conv linear_conv.bn"
        ),
        drops_when_inferring=True,
    ),
    "PaddleClas' PP-LCNet": _Naming(
        "conv1.conv conv1.bn - - last_conv fc",
        _of_lcnet,
        _same("- - dw_conv.conv dw_conv.bn se.conv1 - se.conv2 pw_conv.conv pw_conv.bn"),
        drops_when_inferring=True,
    ),
    "PaddleClas' EfficientNet": _Naming(
        "_ef._conv_stem._conv._conv._conv _ef._conv_stem._conv._bn"
        " _conv._conv._conv _conv._bn - _fc",
        lambda block: f"_ef.{'block' if block.place else '_blocks'}.{block.number}..",
        _same(
            "_ecn._conv._conv._conv _ecn._conv._bn _dcn._conv._conv._conv _dcn._conv._bn"
            " _se._conv1._conv - _se._conv2._conv _pcn._conv._conv._conv _pcn._conv._bn"
        ),
    ),
    "PaddleClas' ReXNet": _Naming(
        "features.0 features.1 features.19 features.20 - output.1",
        lambda block: f"features.{block.number + 3}.out.",
        _counted,
    ),
    "PaddlePaddle's MobileNetV1": _Naming(
        "conv1 conv1_bn - - - fc7",
        _of_static_v1,
        _same("- - _dw _dw_bn - - - _sep _sep_bn"),
        "paddle_static",
    ),
    "PaddlePaddle's MobileNetV2": _Naming(
        "conv1_1 conv1_1_bn conv9 conv9_bn - fc10",
        lambda block: f"conv{block.stage + 2}_{block.place + 1}",
        _same("_expand _expand_bn _dwise _dwise_bn - - - _linear _linear_bn"),
        "paddle_static",
    ),
    "PaddlePaddle's MobileNetV3": _Naming(
        "conv1 conv1_bn conv_last conv_last_bn last_1x1_conv fc",
        lambda block: f"conv{block.number + 2}",
        _same("_expand _expand_bn _depthwise _depthwise_bn _se_1 - _se_2 _linear _linear_bn"),
        "paddle_static",
        drops_when_inferring=True,
    ),
}
