"""YAML as typed values: nodes become arguments by annotation, every problem with its place.

Numbers and booleans are those of YAML 1.2: `3e-4` is a number, `no` is text and `010` is
ten.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import io
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import yaml

from hubcls.errors import ConfigError, nearest_names

FAILED: Any = object()
_TAG = "tag:yaml.org,2002:"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"
# Tag, form, first characters; an int has a float's form too, so it comes first.
_RESOLVERS = (
    ("null", "~|null|", ["~", "n", ""]),
    ("bool", "true|false|True|False", list("tfTF")),
    ("int", "[-+]?[0-9]+", list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
)
_VALUES: Mapping[str, Callable[[str], Any]] = {
    f"{_TAG}null": lambda text: None,
    f"{_TAG}bool": lambda text: text.lower() == "true",
    f"{_TAG}int": int,
    f"{_TAG}float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
}
_WORDS: Mapping[Any, str] = {
    str: "text",
    Path: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def _resolving(base: Any, resolvers: Mapping[str, Any]) -> Any:
    """A loader or dumper class with YAML 1.2's scalars on top of `resolvers`."""
    made = type(base.__name__, (base,), {"yaml_implicit_resolvers": dict(resolvers)})
    for name, form, first in _RESOLVERS:
        made.add_implicit_resolver(_TAG + name, re.compile(f"(?:{form})$"), first)  # type: ignore[attr-defined]
    return made


# libyaml reads the whole catalogue ten times faster; PyYAML's wheels bring it.
_Loader = _resolving(getattr(yaml, "CSafeLoader", yaml.SafeLoader), {})
# Readers of YAML 1.1 get text in quotes where they would take it for something else.
_Dumper = _resolving(yaml.SafeDumper, yaml.SafeDumper.yaml_implicit_resolvers)


def compose(text: str, name: str) -> yaml.Node | None:
    """The node tree of one YAML document; None when it is empty.

    Args:
        text: YAML.
        name: of the file, for the places of problems.

    Raises:
        ConfigError: it is no YAML; names the line.
    """
    stream = io.StringIO(text)
    stream.name = name  # type: ignore[attr-defined]
    try:
        return yaml.compose(stream, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_problem(text, name, error)) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{name}: {error}") from None


def node_of(values: object) -> yaml.Node:
    """Plain values as a node tree, whose places are not known."""
    return yaml.SafeDumper(io.StringIO()).represent_data(values)


def dump(values: Mapping[str, Any]) -> str:
    """Plain values as YAML in block style, in their order."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def plain(value: Any) -> Any:
    """A value as YAML and JSON have it: dataclasses and mappings as mappings, tuples as lists.

    What has an `as_dict` of its own is asked for that.

    Raises:
        TypeError: it, or something in it, is of no such type; says which.
    """
    if hasattr(value, "as_dict"):
        return plain(value.as_dict())
    if _is_value(type(value)):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    # A number of NumPy's is there only after NumPy, a fifth of the start of `modules list`.
    if "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].generic):
        return plain(value.item())
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__}")


def place_of(node: yaml.Node) -> str:
    """Where a node stands, "file:line: ", or what a user typed instead; "" when unknown."""
    mark: Any = node.start_mark
    if mark is None:
        return ""
    return f"{mark}: " if isinstance(mark, str) else f"{mark.name}:{mark.line + 1}: "


@dataclass(frozen=True)
class Parameter:
    """What an argument may be, and what it is when left out (`inspect`'s empty: required)."""

    annotation: Any
    default: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameters:
    """The arguments that a call takes by name; `takes_more`, others too."""

    named: Mapping[str, Parameter]
    takes_more: bool = False


@functools.cache
def parameters_of(constructor: Callable[..., Any], leave_out: tuple[str, ...] = ()) -> Parameters:
    """What a class takes, less what somebody else gives it."""
    called: Any = constructor.__init__  # type: ignore[misc]
    hints = typing.get_type_hints(constructor if dataclasses.is_dataclass(constructor) else called)
    found = list(inspect.signature(called).parameters.values())[1:]
    return Parameters(
        {
            item.name: Parameter(hints.get(item.name, Any), item.default)
            for item in found
            if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
            and item.name not in leave_out
        },
        takes_more=any(item.kind is item.VAR_KEYWORD for item in found),
    )


class Reader:
    """Converts nodes by type annotation and collects every problem."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def fail(self, node: yaml.Node, message: str) -> Any:
        """Note a problem at the node's place.

        Returns:
            FAILED, which every conversion gives in the place of a wrong value.
        """
        self.problems.append(f"{place_of(node)}{message}")
        return FAILED

    def convert(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        """The value of a node as an annotation wants it; any value where it is not plain.

        Args:
            node: of the value.
            wanted: the annotation.
            what: the value's name, for messages.
        """
        kind = _kind(wanted)
        if kind == "call":
            return self.call(node, wanted, what)
        if kind == "union":
            return self._one_of(node, get_args(wanted), what)
        if kind == "literal":
            return self._literal(node, get_args(wanted), what)
        if kind == "mapping":
            return self._mapping(node, get_args(wanted), what)
        if kind == "sequence":
            return self._sequence(node, wanted, what)
        return self._scalar(node, wanted, what) if kind == "scalar" else self._plain(node, what)

    def call(self, node: yaml.Node, constructor: type, what: str) -> Any:
        """What the constructor makes of a mapping's keys as its arguments."""
        known = len(self.problems)
        arguments = self.arguments(node, parameters_of(constructor), what)
        if len(self.problems) > known:
            return FAILED
        return self.made(node, constructor, arguments, what)

    def made(
        self,
        node: yaml.Node,
        constructor: Callable[..., Any],
        arguments: Mapping[str, Any],
        what: str,
    ) -> Any:
        """What the constructor makes; what it refuses is a problem at the node's place."""
        try:
            return constructor(**arguments)
        except ValueError as error:
            return self.fail(node, f"{what}: {error}")

    def arguments(self, node: yaml.Node, parameters: Parameters, what: str) -> Any:
        """A mapping's keys as the arguments of a call, by name."""
        if not isinstance(node, yaml.MappingNode):
            return self.fail(node, f"{what} must be a mapping")
        named, values = parameters.named, {}
        for key_node, key, value_node in self.pairs(node, what):
            if key not in named and not parameters.takes_more:
                near = ", ".join(nearest_names(str(key), named)) or ", ".join(named)
                self.fail(key_node, f"{what} has no key {key!r}; did you mean: {near}?")
            else:
                annotation = named[key].annotation if key in named else Any
                values[key] = self.convert(value_node, annotation, f"{key!r}")
        missing = [
            name
            for name, parameter in named.items()
            if parameter.default is inspect.Parameter.empty and name not in values
        ]
        if missing:
            return self.fail(node, f"{what} lacks {', '.join(missing)}")
        return _unless_failed(values, values.values())

    def pairs(
        self, node: yaml.MappingNode, what: str
    ) -> Iterator[tuple[yaml.Node, str, yaml.Node]]:
        """Key node, key and value node of every key; one that is no text or stands twice fails."""
        seen = set()
        for key_node, value_node in _with_merged(node):
            key = key_node.value
            if not isinstance(key, str):
                self.fail(key_node, f"a key of {what} must be text")
            elif key in seen:
                self.fail(key_node, f"{key!r} stands twice in {what}")
            else:
                seen.add(key)
                yield key_node, key, value_node

    def _one_of(self, node: yaml.Node, choices: Sequence[Any], what: str) -> Any:
        is_null = node.tag == f"{_TAG}null"
        if is_null and type(None) in choices:
            return None
        fitting = [] if is_null else [choice for choice in choices if _may_be(node, choice)]
        for choice in fitting[:-1]:
            attempt = Reader()
            value = attempt.convert(node, choice, what)
            if not attempt.problems:
                return value
        if len(fitting) == 1:
            return self.convert(node, fitting[0], what)
        if fitting:
            attempt = Reader()
            value = attempt.convert(node, fitting[-1], what)
            if not attempt.problems:
                return value
        words = " or ".join(dict.fromkeys(map(_in_words, choices)))
        return self.fail(node, f"{what} must be {words}, not {_short(node)}")

    def _literal(self, node: yaml.Node, choices: tuple[Any, ...], what: str) -> Any:
        value = _scalar_value(node) if isinstance(node, yaml.ScalarNode) else FAILED
        # 1 == True, but nobody means the one by the other.
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value
        return self.fail(
            node, f"{what} must be one of {', '.join(map(str, choices))}, not {_short(node)}"
        )

    def _mapping(self, node: yaml.Node, types_: tuple[Any, ...], what: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self.fail(node, f"{what} must be a mapping")
        key_type, value_type = types_ or (str, Any)
        mapping = {
            self.convert(key_node, key_type, f"a key of {what}"): self.convert(
                value_node, value_type, f"{what}.{key}"
            )
            for key_node, key, value_node in self.pairs(node, what)
        }
        return _unless_failed(mapping, [*mapping, *mapping.values()])

    def _sequence(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self.fail(node, f"{what} must be a list")
        arguments = get_args(wanted) or (Any,)
        is_open = get_origin(wanted) is not tuple or arguments[-1] is Ellipsis
        if not is_open and len(arguments) != len(node.value):
            return self.fail(node, f"{what} must hold {len(arguments)} values")
        kinds = [arguments[0]] * len(node.value) if is_open else list(arguments)
        values = [
            self.convert(item, kind, f"item {place + 1} of {what}")
            for place, (item, kind) in enumerate(zip(node.value, kinds, strict=True))
        ]
        made = tuple(values) if get_origin(wanted) is tuple else values
        return _unless_failed(made, values)

    def _scalar(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        value = _scalar_value(node) if isinstance(node, yaml.ScalarNode) else FAILED
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        kind = str if wanted is Path else wanted
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        return self.fail(node, f"{what} must be {_WORDS[wanted]}, not {_short(node)}")

    def _plain(self, node: yaml.Node, what: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, (str, Any), what)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, list[Any], what)
        return _scalar_value(node)


def _unless_failed(value: Any, parts: Collection[Any]) -> Any:
    return FAILED if any(part is FAILED for part in parts) else value


@functools.cache
def _kind(annotation: Any) -> str:
    """What an annotation asks for, as far as YAML can give it; "any" where it cannot."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and _is_called(annotation):
        return "call"
    if origin in (Union, types.UnionType):
        return "union"
    if origin is Literal:
        return "literal"
    if origin in (dict, Mapping):
        return "mapping"
    if origin in (tuple, list, Sequence):
        return "sequence"
    if annotation is type(None):
        return "null"
    if annotation in _WORDS:
        return "scalar"
    return "object" if isinstance(annotation, type) else "any"


def _is_called(kind: type) -> bool:
    """Whether a mapping can stand for a call of this class.

    It does for what `plain` turns into a mapping.
    """
    return _is_value(kind) or hasattr(kind, "as_dict")


def _is_value(kind: type) -> bool:
    # One that is compared by identity holds arrays or networks, which no file can state.
    return dataclasses.is_dataclass(kind) and kind.__eq__ is not object.__eq__


def _may_be(node: yaml.Node, choice: Any) -> bool:
    """Whether a node of this form can become what an annotation wants at all."""
    kind = _kind(choice)
    if kind in ("call", "mapping"):
        return isinstance(node, yaml.MappingNode)
    if kind == "sequence":
        return isinstance(node, yaml.SequenceNode)
    if kind in ("literal", "scalar"):
        return isinstance(node, yaml.ScalarNode)
    return kind not in ("null", "object")


def _in_words(choice: Any) -> str:
    if choice in _WORDS:
        return _WORDS[choice]
    if _kind(choice) == "literal":
        return f"one of {', '.join(map(str, get_args(choice)))}"
    words = {"null": "null", "call": "a mapping", "mapping": "a mapping", "sequence": "a list"}
    return words.get(_kind(choice), "a value")


def _with_merged(node: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """The pairs of a mapping, with those of `<<` that it does not state itself."""
    merged = [value for key, value in node.value if key.value == "<<"]
    if not merged:
        return list(node.value)
    own = [(key, value) for key, value in node.value if key.value != "<<"]
    stated = {key.value: (key, value) for key, value in own}
    inherited = [pair for value in merged for pair in _with_merged(value)]
    names = {key.value for key, _ in inherited}
    return [
        *(stated.get(key.value, (key, value)) for key, value in inherited),
        *(pair for pair in own if pair[0].value not in names),
    ]


def _scalar_value(node: yaml.Node) -> Any:
    read = _VALUES.get(node.tag)
    return node.value if read is None else read(node.value)


def _short(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(_scalar_value(node))
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def _syntax_problem(text: str, name: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{name}: {error}"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"{name}:{mark.line + 1}: a tab in front of the text; indent with spaces"
    context = f" ({error.context})" if error.context else ""
    return f"{name}:{mark.line + 1}: {error.problem}{context}"
