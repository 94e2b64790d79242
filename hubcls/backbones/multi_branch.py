"""Networks whose branches keep their resolutions side by side.

HRNet, Wang et al. 2019, arXiv:1908.07919, section 3 and appendix A (classification). Layers
are called as in timm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    classified,
    convolved,
    convolved_and_normalised,
    normalised,
    squeezed_and_excited,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, Substitution, substituted
from hubcls.backbones.layers import ResidualSum

_BLOCKS_A_BRANCH = 4
_STEM_FILTERS = 64
_EXPANSION = 4


@dataclass(frozen=True)
class MultiBranch:
    """A high-resolution network.

    Attributes:
        width: channels of the branch of the highest resolution; each next one has twice as
            many.
        num_modules: exchanges between the branches, in the stages of two, three, …branches.
        head_filters: inner channels of the bottlenecks on top, a branch each.
        num_features: channels of the feature map.
        squeeze_ratio: channels of a block for each channel between squeeze and excitation;
            0 means that there is none.
        head_has_bias: whether the convolutions that join the branches on top have biases.
        style: activation and BatchNorm.
    """

    width: int
    num_modules: tuple[int, ...] = (1, 4, 3)
    head_filters: tuple[int, ...] = (32, 64, 128, 256)
    num_features: int = 2048
    squeeze_ratio: int = 0
    head_has_bias: bool = False
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """The stem's output; the first branch of every stage; the joined branches.

        Raises:
            ValueError: a side is no multiple of the smallest branch's stride.
        """
        stride = 2 ** (2 + len(self.num_modules))
        if any(side % stride for side in x.shape[1:3]):
            raise ValueError(f"both sides must be multiples of {stride}")
        x = convolved_and_normalised(
            x, _STEM_FILTERS, 3, self.style, names=("conv1", "bn1"), strides=2
        )
        x = convolved_and_normalised(
            x, _STEM_FILTERS, 3, self.style, names=("conv2", "bn2"), strides=2
        )
        outputs = [x]
        for place in range(4):
            x = self._block(x, 64, f"layer1.{place}", kernel_sizes=(1, 3, 1))
        outputs.append(x)
        branches = [x]
        for stage, num_modules in enumerate(self.num_modules, start=2):
            branches = self._parted(branches, stage)
            for module in range(num_modules):
                branches = self._exchanged(branches, f"stage{stage}.{module}")
            outputs.append(branches[0])
        outputs[-1] = self._joined(branches)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="classifier")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's names, and PaddleClas'."""
        return {"timm": KeyRules(), "PaddleClas": KeyRules("paddle", self._paddleclas())}

    def _parted(self, branches: list[Any], stage: int) -> list[Any]:
        """One branch more, of half the resolution of the last."""
        name = f"transition{stage - 1}"
        *kept, last = branches
        if stage == 2:  # the first stage's map has more channels than a branch
            names = (f"{name}.0.0", f"{name}.0.1")
            kept = [convolved_and_normalised(last, self.width, 3, self.style, names=names)]
        else:
            kept = [*kept, last]
        number = len(kept)
        names = (f"{name}.{number}.0.0", f"{name}.{number}.0.1")
        return [
            *kept,
            convolved_and_normalised(
                last, self.width * 2**number, 3, self.style, names=names, strides=2
            ),
        ]

    def _exchanged(self, branches: list[Any], name: str) -> list[Any]:
        """Every branch by itself, then the sum of all in each one's resolution."""
        branches = list(branches)
        for number in range(len(branches)):
            for place in range(_BLOCKS_A_BRANCH):
                branches[number] = self._block(
                    branches[number],
                    branches[number].shape[-1],
                    f"{name}.branches.{number}.{place}",
                    kernel_sizes=(3, 3),
                )
        return [
            self._fused(branches, target, name=f"{name}.fuse_layers.{target}")
            for target in range(len(branches))
        ]

    def _fused(self, branches: list[Any], target: int, *, name: str) -> Any:
        """The sum of all branches in one's resolution."""
        parts = [
            self._resized(branch, source, target, f"{name}.{source}")
            for source, branch in enumerate(branches)
        ]
        return activated(keras.layers.Add(name=f"{name}.sum")(parts), "relu", name=name)

    def _resized(self, x: Any, source: int, target: int, name: str) -> Any:
        """A branch in another one's resolution and number of channels."""
        filters = self.width * 2**target
        if source > target:
            names = (f"{name}.0", f"{name}.1")
            x = convolved_and_normalised(
                x, filters, 1, self.style, names=names, activation="linear"
            )
            return keras.layers.UpSampling2D(2 ** (source - target), name=f"{name}_up")(x)
        for step in range(target - source):
            is_last = step == target - source - 1
            x = convolved_and_normalised(
                x,
                filters if is_last else x.shape[-1],
                3,
                self.style,
                names=(f"{name}.{step}.0", f"{name}.{step}.1"),
                strides=2,
                activation="linear" if is_last else None,
            )
        return x

    def _joined(self, branches: list[Any]) -> Any:
        """All branches, widened, in the lowest resolution."""
        joined: Any = None
        for number, (branch, filters) in enumerate(zip(branches, self.head_filters, strict=True)):
            x = self._block(branch, filters, f"incre_modules.{number}.0", kernel_sizes=(1, 3, 1))
            if joined is not None:
                name = f"downsamp_modules.{number - 1}"
                joined = self._joint(joined, x.shape[-1], 3, name, strides=2)
                x = keras.layers.Add(name=f"{name}.sum")([x, joined])
            joined = x
        return self._joint(joined, self.num_features, 1, "final_layer")

    def _joint(self, x: Any, filters: int, kernel_size: int, name: str, *, strides: int = 1) -> Any:
        x = convolved(
            x, filters, kernel_size, strides=strides, bias=self.head_has_bias, name=f"{name}.0"
        )
        x = normalised(x, self.style, name=f"{name}.1")
        return activated(x, self.style.activation, name=f"{name}.1")

    def _block(self, x: Any, filters: int, name: str, *, kernel_sizes: tuple[int, ...]) -> Any:
        """A residual block of two 3×3 convolutions, or a bottleneck of 1×1, 3×3 and 1×1."""
        shortcut = x
        last = len(kernel_sizes)
        widths = [filters] * (last - 1) + [filters * (_EXPANSION if last == 3 else 1)]
        for number, (width, side) in enumerate(zip(widths, kernel_sizes, strict=True), start=1):
            names = (f"{name}.conv{number}", f"{name}.bn{number}")
            x = convolved_and_normalised(
                x,
                width,
                side,
                self.style,
                names=names,
                activation=None if number < last else "linear",
            )
        if self.squeeze_ratio:
            names = (f"{name}.se.fc1", f"{name}.se.fc2")
            x = squeezed_and_excited(x, widths[-1] // self.squeeze_ratio, names=names)
        if shortcut.shape[-1] != widths[-1]:
            names = (f"{name}.downsample.0", f"{name}.downsample.1")
            shortcut = convolved_and_normalised(
                shortcut, widths[-1], 1, self.style, names=names, activation="linear"
            )
        return activated(ResidualSum(name=f"{name}.sum")([shortcut, x]), "relu", name=name)

    def _paddleclas(self) -> Renaming:
        numbers = {
            (branches, *path): number
            for branches in range(2, len(self.num_modules) + 2)
            for number, path in enumerate(_paths(branches))
        }

        def exchange(stage: int, module: int, *path: Any) -> str:
            # Steps are numbered on the way down alone; on the way up there is one.
            target, source, step, kind = path
            number = numbers[stage, target, source, step or 0]
            prefix = f"st{stage}.stage_func_list.{module}.fuse_func.residual_func_list"
            return f"{prefix}.{number}.{_KINDS[kind]}"

        path = r"stage(\d)\.(\d)\.fuse_layers\.(\d)\.(\d)(?:\.(\d))?\.(\d)"
        blocks = ((pattern + ending, prefix + new) for pattern, prefix in _OWNERS
                  for ending, new in _PARTS)  # fmt: skip
        return substituted((path, exchange), *blocks, *_SINGLE)


def _paths(branches: int) -> Iterator[tuple[int, int, int]]:
    """Target, source and step of every convolution between branches, in PaddleClas' order."""
    for target in range(branches):
        for source in range(branches):
            for step in range(1 if source > target else target - source):
                yield target, source, step


_KINDS = ("conv", "bn")
# What owns residual blocks, and how they call their parts.
_OWNERS = (
    (r"(layer1\.\d)", r"\1"),
    (r"stage(\d)\.(\d)\.branches\.(\d)\.(\d)", r"st\1.stage_func_list.\2.basic_block_list.\3.\4"),
    (r"incre_modules\.(\d)\.0", r"last_cls.func_list.\1"),
)
_PARTS = (
    *((rf"\.{ours}{number}", f".conv{number}.{theirs}") for number in (1, 2, 3)
      for ours, theirs in (("conv", "conv"), ("bn", "bn"))),
    (r"\.downsample\.0", ".conv_down.conv"),
    (r"\.downsample\.1", ".conv_down.bn"),
    (r"\.se\.fc1", ".se.fc_squeeze"),
    (r"\.se\.fc2", ".se.fc_excitation"),
)  # fmt: skip
_SINGLE: tuple[Substitution, ...] = (
    (r"(conv|bn)([12])", r"conv_layer1_\2.\1"),
    (r"transition1\.0\.(\d)", lambda kind: f"conv_tr1_1.{_KINDS[kind]}"),
    (r"transition1\.1\.0\.(\d)", lambda kind: f"conv_tr1_2.{_KINDS[kind]}"),
    (r"transition(\d)\.\d\.0\.(\d)", lambda number, kind: f"conv_tr{number}.{_KINDS[kind]}"),
    (r"downsamp_modules\.(\d)\.(\d)",
     lambda number, kind: f"cls_head_conv_list.{number}.{_KINDS[kind]}"),
    (r"final_layer\.(\d)", lambda kind: f"conv_last.{_KINDS[kind]}"),
    ("classifier", "fc"),
)  # fmt: skip
