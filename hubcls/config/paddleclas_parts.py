"""What becomes of a part of a PaddleClas configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """Some of PaddleClas' keys, each in one of three places.

    Attributes:
        targets: our dotted key → value.
        not_mapped: their dotted key → the value that has no counterpart here.
        not_needed: their dotted key → why nothing stands for it here.
    """

    targets: Mapping[str, Any] = field(default_factory=dict)
    not_mapped: Mapping[str, Any] = field(default_factory=dict)
    not_needed: Mapping[str, str] = field(default_factory=dict)


def leaves_of(value: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted path → value; a list of operations, {name: options}, counts as a mapping.

    An operation that stands twice in its list is called "name#2" the second time.
    """
    if isinstance(value, list) and value and all(map(_is_operation, value)):
        value = dict(numbered(value))
    if not isinstance(value, Mapping) or not value:
        return {prefix: value}
    return {
        path: leaf
        for key, item in value.items()
        for path, leaf in leaves_of(item, f"{prefix}.{key}" if prefix else str(key)).items()
    }


def numbered(operations: list[Any]) -> list[tuple[str, Any]]:
    """Name and options of each operation of a list; a name's second time is "name#2"."""
    found: list[tuple[str, Any]] = []
    times: dict[str, int] = {}
    for item in filter(_is_operation, operations):
        for name, options in ({item: None} if isinstance(item, str) else item).items():
            times[name] = times.get(name, 0) + 1
            found.append((name if times[name] == 1 else f"{name}#{times[name]}", options))
    return found


def below(tree: Any, path: str) -> Any:
    """What stands at a dotted path of nested mappings; None where nothing does."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree


def number(value: Any) -> Any:
    """A number; text such as "1.0/3.0" is one, too, which PaddleClas evaluates.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        above, slash, under = value.partition("/")
        return float(above) / float(under) if slash else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"no number: {value!r}")
    return value


def _is_operation(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and len(item) == 1)
