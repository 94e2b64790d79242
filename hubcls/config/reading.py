"""A config file and the changes to it, as one tree of YAML nodes that know their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hubcls.errors import ConfigError
from hubcls.typed_yaml import compose, node_of, place_of

Composer: TypeAlias = Callable[[str, str], yaml.Node | None]


@dataclass(frozen=True)
class Change:
    """One value that takes the place of the file's.

    Attributes:
        keys: the section, then the keys below it.
        value: the new value.
        said: what the user typed, for messages.
    """

    keys: tuple[str, ...]
    value: yaml.Node
    said: str


def change(keys: tuple[str, ...], value: object, said: str) -> Change:
    """A change to a plain value."""
    return Change(keys, _placed(node_of(value), said), said)


def override(text: str) -> Change:
    """The change that `-o section.key=value` asks for; the value is YAML.

    Raises:
        ConfigError: it is not of that form, or the value is no YAML.
    """
    keys, equals, value = text.partition("=")
    said = f"-o {text}"
    if not equals or not all(keys.split(".")):
        raise ConfigError(f"{said}: must read section.key=value, such as run.batch_size=8")
    try:
        node = _composed(value, said)
    except ConfigError as error:
        raise ConfigError(f"{said}: the value is no YAML: {error}") from None
    return Change(tuple(keys.split(".")), _placed(node or node_of(None), said), said)


def read_tree(path: Path | None, changes: Iterable[Change] = ()) -> yaml.MappingNode:
    """The file's sections with every change made.

    Args:
        path: a YAML file; None begins with nothing.
        changes: later ones win over earlier ones.

    Raises:
        ConfigError: the file cannot be read or is no mapping, or a change leads into a
            value that has no keys; lists all such changes.
    """
    tree = _mapping() if path is None else read_file(path)
    problems = [problem for one in changes if (problem := _apply(tree, one))]
    if problems:
        raise ConfigError("\n".join(problems))
    return tree


def value_in(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    """The node of a key's value; None where there is no such key."""
    return next((value for name, value in node.value if name.value == key), None)


def is_null(node: yaml.Node) -> bool:
    """Whether nothing stands there."""
    return node.tag == "tag:yaml.org,2002:null"


def read_file(path: Path, composed: Composer | None = None) -> yaml.MappingNode:
    """The node tree of a YAML file that is a mapping; an empty one where it is empty.

    Args:
        path: of the file.
        composed: from text and a name for its places to the tree; None refuses anchors,
            aliases and tags.

    Raises:
        ConfigError: the file cannot be read, or is no such mapping.
    """
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the config {path} cannot be read: {error}") from None
    tree = (composed or _composed)(text, str(path))
    if tree is None:
        return _mapping()
    if not isinstance(tree, yaml.MappingNode):
        raise ConfigError(
            f"{place_of(tree)}a config is a mapping of sections (module:, dataset:, run: …)"
        )
    return tree


def _composed(text: str, name: str) -> yaml.Node | None:
    """The node tree of a text without anchors, aliases and tags.

    Raises:
        ConfigError: it is no YAML, or has one of these.
    """
    node = compose(text, name)
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    marks = [
        event.start_mark
        for event in events
        if getattr(event, "anchor", None) or getattr(event, "tag", None)
    ]
    if marks:
        raise ConfigError(
            "\n".join(
                f"{name}:{mark.line + 1}: anchors, aliases and tags (&, *, !) have no place in a "
                "config; write the value itself"
                for mark in marks
                if mark is not None
            )
        )
    return node


def _apply(tree: yaml.MappingNode, wanted: Change) -> str:
    """Make a change in place; what stands in its way, if anything does."""
    parent = tree
    for depth, key in enumerate(wanted.keys[:-1], 1):
        below = value_in(parent, key)
        if below is None or is_null(below):
            below = _mapping(wanted.said)
            _put(parent, key, below, wanted.said)
        elif depth == 1 and isinstance(below, yaml.ScalarNode):
            # `strategy: l2sp` is short for {name: l2sp}.
            below = named(below)
            _put(parent, key, below, wanted.said)
        if not isinstance(below, yaml.MappingNode):
            return f"{wanted.said}: {'.'.join(wanted.keys[:depth])} has no keys to change"
        parent = below
    _put(parent, wanted.keys[-1], wanted.value, wanted.said)
    return ""


def named(name: yaml.Node) -> yaml.MappingNode:
    """A section that states its entry alone."""
    section = _mapping(name.start_mark)
    _put(section, "name", name, name.start_mark)
    return section


def _put(parent: yaml.MappingNode, key: str, value: yaml.Node, said: Any) -> None:
    for place, (found, _) in enumerate(parent.value):
        if found.value == key:
            parent.value[place] = (found, value)
            return
    parent.value.append((_placed(node_of(key), said), value))


def _mapping(said: Any = None) -> yaml.MappingNode:
    return yaml.MappingNode("tag:yaml.org,2002:map", [], start_mark=said)


def _placed(node: yaml.Node, said: Any) -> yaml.Node:
    """The node, and all below it, at the place of what a user typed."""
    node.start_mark = said
    for child in node.value if isinstance(node, yaml.CollectionNode) else ():
        for part in child if isinstance(child, tuple) else (child,):
            _placed(part, said)
    return node
