"""Inception networks: branches of convolutions and pools side by side.

GoogLeNet (Szegedy et al. 2014, arXiv:1409.4842, table 1), Inception-v3 (Szegedy et al.
2015, arXiv:1512.00567, section 6) and Inception-v4 (Szegedy et al. 2016, arXiv:1602.07261,
section 3.1). Which network it is follows from numbers alone. Layers are called as in timm,
GoogLeNet's as in torchvision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import keras

from hubcls.backbones.blocks import (
    Style,
    activated,
    average_pooled,
    classified,
    convolved,
    convolved_and_normalised,
    max_pooled,
)
from hubcls.backbones.key_rules import KeyRules, Renaming, listed
from hubcls.errors import ConfigError

# What timm or torchvision, PaddleClas, and PaddlePaddle's files of one tensor each call a
# thing; the last word stands for those that are left out.
Names = tuple[str, ...]
_OWN, _PADDLE, _STATIC = range(3)


@dataclass(frozen=True)
class Step:
    """A convolution, or a pool where one is named.

    Attributes:
        name: of the convolution in its block.
        kernel_size: the window's sides; a pool's is square.
        strides: the window's step.
        padding: "symmetric" keeps the size at stride 1, "valid" adds nothing.
        pool: what the windows are pooled to.
        ceil: whether a pool's last window may reach over the edge.
    """

    name: Names = ("",)
    kernel_size: int | tuple[int, int] = 1
    strides: int = 1
    padding: Literal["symmetric", "valid"] = "symmetric"
    pool: Literal["max", "average"] | None = None
    ceil: bool = False


# Steps in a row; steps in brackets see the same map, and their outputs are put together.
Branch = tuple[Step | tuple[Step, ...], ...]


@dataclass(frozen=True)
class Blocks:
    """Equal blocks in a row.

    Attributes:
        kind: which branches they have.
        names: of each block.
        filters: channels of the kind's convolutions, in order.
    """

    kind: str
    names: tuple[Names, ...]
    filters: tuple[int, ...] = ()


@dataclass(frozen=True)
class Inception:
    """An Inception network.

    Attributes:
        kinds: the branches of each kind of block.
        stages: the blocks; a stage begins where the image shrinks.
        classifier: the dense layer's name.
        last_first: kinds whose last branch comes first when the branches are put together.
        counts_padding: whether zeros around the map count in an average.
        style: of the convolutions. Without one they stand alone, and a rectifier follows
            where branches are put together.
        dropout: rate before the original classifier.
        paddle_parts: PaddleClas' names of a convolution and of its BatchNorm.
    """

    kinds: dict[str, tuple[Branch, ...]]
    stages: tuple[tuple[Blocks, ...], ...]
    classifier: Names = ("fc",)
    last_first: tuple[str, ...] = ()
    counts_padding: bool = False
    style: Style | None = field(default_factory=Style)
    dropout: float = 0.2
    paddle_parts: tuple[str, str] = ("_conv", "_batch_norm")

    def __post_init__(self) -> None:
        """Refuse blocks that do not fit their kind.

        Raises:
            ConfigError: a kind is unknown, or has more or fewer convolutions.
        """
        problems = [
            f"{blocks.names[0][_OWN]} has {len(blocks.filters)} filters for the convolutions of "
            f"{blocks.kind!r}: {[step.name[_OWN] for step in self._convolutions(blocks)]}"
            for blocks in self._blocks()
            if len(blocks.filters) != len(self._convolutions(blocks))
        ]
        if problems:
            raise ConfigError("\n".join(problems))

    def stage_outputs(self, x: Any) -> list[Any]:
        """The output of the stem, and of each stage that ends before the image shrinks."""
        outputs = []
        for stage in self.stages:
            for blocks in stage:
                for names in blocks.names:
                    x = self._block(x, blocks, names[_OWN])
            outputs.append(x)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        name = self.classifier[_OWN]
        return classified(features, num_classes, name=name, dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Timm's or torchvision's names, PaddleClas', and those of PaddlePaddle's old files."""
        # Of PaddlePaddle's dropout, the mean of what it keeps remains.
        factors = {self.classifier[_OWN]: 1 - self.dropout}
        auxiliary = ("_conv_o[12].*", "_fc_o[12].*", "_out[12].*")
        rules = {
            "timm": KeyRules(ignored=("AuxLogits.*", "aux[12].*")),
            "PaddleClas": KeyRules(
                "paddle", self._renaming(_PADDLE), ignored=auxiliary, factors=factors
            ),
        }
        if len(self.classifier) > _STATIC:
            files = ("conv_o[12]_*", "fc_o[12]_*", "out[12]_*")
            rules["PaddlePaddle"] = KeyRules(
                "paddle_static", self._renaming(_STATIC), ignored=files, factors=factors
            )
        return rules

    def _blocks(self) -> Iterator[Blocks]:
        return (blocks for stage in self.stages for blocks in stage)

    def _convolutions(self, blocks: Blocks) -> list[Step]:
        if blocks.kind not in self.kinds:
            raise ConfigError(f"no kind is called {blocks.kind!r}; there are {list(self.kinds)}")
        branches = self.kinds[blocks.kind]
        steps = (step for branch in branches for group in branch for step in _parallel(group))
        return [step for step in steps if step.pool is None]

    def _renaming(self, whose: int) -> Renaming:
        names = {self.classifier[_OWN]: _word(self.classifier, whose)}
        endings = ("", "_bn") if whose == _STATIC else tuple(f".{x}" for x in self.paddle_parts)
        for blocks in self._blocks():
            for block in blocks.names:
                for step in self._convolutions(blocks):
                    theirs = _joined(_word(block, whose), _word(step.name, whose), whose)
                    own = _joined(block[_OWN], step.name[_OWN], _OWN)
                    for part, ending in zip(("conv", "bn"), endings, strict=True):
                        names[f"{own}.{part}"] = theirs + ending
        return listed(names)

    def _block(self, x: Any, blocks: Blocks, name: str) -> Any:
        filters = iter(blocks.filters)
        branches = [
            self._branch(x, branch, filters, name=name, place=place)
            for place, branch in enumerate(self.kinds[blocks.kind])
        ]
        if len(branches) == 1:
            return branches[0]
        if blocks.kind in self.last_first:
            branches = [branches[-1], *branches[:-1]]
        x = keras.layers.Concatenate(name=f"{name}.concat")(branches)
        return x if self.style else activated(x, "relu", name=name)

    def _branch(
        self, x: Any, branch: Branch, filters: Iterator[int], *, name: str, place: int
    ) -> Any:
        for group in branch:
            outputs = [
                self._convolved(x, step, next(filters), name=_joined(name, step.name[_OWN], _OWN))
                if step.pool is None
                else self._pooled(x, step, name=f"{name}.pool{place}")
                for step in _parallel(group)
            ]
            # Only convolutions stand in parallel: their names are unlike.
            [x] = outputs if len(outputs) == 1 else [_together(outputs, name=f"{name}.{place}")]
        return x

    def _convolved(self, x: Any, step: Step, filters: int, *, name: str) -> Any:
        names = (f"{name}.conv", f"{name}.bn")
        if self.style is None:
            return convolved(
                x,
                filters,
                step.kernel_size,
                strides=step.strides,
                padding=step.padding,
                name=names[0],
            )
        style = replace(self.style, padding=step.padding)
        return convolved_and_normalised(
            x, filters, step.kernel_size, style, strides=step.strides, names=names
        )

    def _pooled(self, x: Any, step: Step, *, name: str) -> Any:
        size = step.kernel_size if isinstance(step.kernel_size, int) else step.kernel_size[0]
        padding = (size - 1) // 2 if step.padding == "symmetric" else 0
        if step.pool == "max":
            return max_pooled(x, size, step.strides, padding=padding, ceil=step.ceil, name=name)
        if self.counts_padding:
            return average_pooled(x, size, step.strides, padding=padding, name=name)
        return average_pooled(x, size, step.strides, ceil=True, name=name)


def _parallel(group: Step | tuple[Step, ...]) -> tuple[Step, ...]:
    return (group,) if isinstance(group, Step) else group


def _together(outputs: list[Any], *, name: str) -> Any:
    return keras.layers.Concatenate(name=f"{name}.concat")(outputs)


def _word(names: Names, whose: int) -> str:
    return names[min(whose, len(names) - 1)]


def _joined(block: str, step: str, whose: int) -> str:
    separator = "_" if whose == _STATIC else "."
    return separator.join(filter(None, (block, step)))
