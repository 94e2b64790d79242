"""How the checkpoints of other frameworks call an architecture's layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Framework = Literal["torch", "paddle", "paddle_static"]
Arrays = Mapping[str, npt.NDArray[np.float32]]
Renaming = Callable[[str], str]
# A pattern that a whole layer name must match, and the prefix of its keys: a template as
# `re.Match.expand` takes it, or a function of the groups, digits as numbers.
Substitution = tuple[str, str | Callable[..., str]]


def as_named(name: str) -> str:
    """The layer's own name."""
    return name


def unchanged(arrays: Arrays) -> Arrays:
    """The checkpoint as it is."""
    return arrays


@dataclass(frozen=True)
class KeyRules:
    """One framework's way of naming and keeping the weights of one architecture.

    Attributes:
        framework: how its keys end and how its arrays lie.
        prefix: layer's name → what its keys begin with.
        ignored: patterns of keys that no layer wants, e.g. an auxiliary head's.
        factors: layer's name → factor on its kernel. PaddlePaddle's dropout of mode
            "downscale_in_infer" multiplies by what it keeps; the next kernel does it here.
        prepared: turns a whole checkpoint into one whose keys the layers have, e.g. by
            adding up branches; gives what it does not know back as it is.
    """

    framework: Framework = "torch"
    prefix: Renaming = as_named
    ignored: tuple[str, ...] = ()
    factors: Mapping[str, float] = field(default_factory=dict)
    prepared: Callable[[Arrays], Arrays] = unchanged


def listed(names: Mapping[str, str]) -> Renaming:
    """A renaming by a table; others stay as they are."""
    return lambda name: names.get(name, name)


def substituted(*rules: Substitution) -> Renaming:
    """A renaming by the first pattern that the whole name matches; others stay as they are.

    Args:
        rules: patterns, and templates or functions for what stands in their place.
    """
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def rename(name: str) -> str:
        for pattern, replacement in compiled:
            match = pattern.fullmatch(name)
            if match and callable(replacement):
                return replacement(*map(_number, match.groups()))
            if match:
                return match.expand(str(replacement))
        return name

    return rename


def _number(text: str | None) -> Any:
    return int(text) if text and text.isdecimal() else text
