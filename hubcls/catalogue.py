"""The catalogue: YAML files in modules/ and datasets/, read into checked dataclasses.

Every error names the file and the line. The files travel in three ways: in a wheel as
the data-only packages `hubcls._catalogue.modules` and `hubcls._catalogue.datasets`, and
in an editable install or a bare clone as the folders beside `hubcls/`.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml

from hubcls.errors import CatalogueError, nearest_names

Kind = Literal["modules", "datasets"]
Record = TypeVar("Record")

# libyaml reads the whole catalogue ten times faster; PyYAML's wheels bring it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def folder(kind: Kind) -> Path:
    """The folder with the YAML files of one kind.

    Raises:
        CatalogueError: the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_catalogue" / kind, package.parent / kind):
        if candidate.is_dir():
            return candidate
    raise CatalogueError(
        f"the catalogue folder {kind!r} is missing beside {package}; reinstall hubcls"
    )


def files(kind: Kind) -> list[Path]:
    """The YAML files of one kind, by name."""
    return sorted(folder(kind).glob("*.yaml"))


def read(path: Path, record: type[Record]) -> Record:
    """One YAML file as an instance of a dataclass.

    Args:
        path: the file.
        record: a dataclass; its annotations are the schema. A field with a default may
            be left out, an unknown key is an error.

    Raises:
        CatalogueError: the file is not as the dataclass says; lists every place.
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    if node is None:
        raise CatalogueError(f"{path}:1: the file is empty")
    reader = _Reader(path)
    value = reader.convert(node, record, "the file")
    if reader.problems:
        raise CatalogueError("\n".join(reader.problems))
    return typing.cast(Record, value)


def convert(values: object, record: type[Record], what: str) -> Record:
    """Plain values, as YAML gives them, as an instance of a dataclass.

    Args:
        values: a mapping.
        record: a dataclass; its annotations are the schema.
        what: the mapping's name, for messages.

    Raises:
        CatalogueError: the values are not as the dataclass says; lists every place.
    """
    node = yaml.SafeDumper(io.StringIO()).represent_data(values)
    reader = _Reader(None)
    value = reader.convert(node, record, what)
    if reader.problems:
        raise CatalogueError("\n".join(reader.problems))
    return typing.cast(Record, value)


_FAILED: Any = object()


class _Reader:
    """Converts YAML nodes by type annotation and collects every problem."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problems: list[str] = []

    def convert(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        origin = get_origin(wanted)
        if dataclasses.is_dataclass(wanted):
            return self._dataclass(node, typing.cast(type, wanted), what)
        if origin in (Union, types.UnionType):
            return self._optional(node, wanted, what)
        if origin is Literal:
            return self._literal(node, get_args(wanted), what)
        if origin is dict:
            return self._mapping(node, wanted, what)
        if origin in (tuple, list):
            return self._sequence(node, wanted, what)
        return self._scalar(node, wanted, what)

    def fail(self, node: yaml.Node, message: str) -> Any:
        place = f"{self.path}:{node.start_mark.line + 1}: " if self.path else ""
        self.problems.append(f"{place}{message}")
        return _FAILED

    def _dataclass(self, node: yaml.Node, wanted: type, what: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self.fail(node, f"{what} must be a mapping")
        fields = {field.name: field for field in dataclasses.fields(wanted) if field.init}
        hints = _type_hints(wanted)
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key not in fields:
                near = ", ".join(nearest_names(str(key), fields)) or ", ".join(fields)
                self.fail(key_node, f"{what} has no key {key!r}; did you mean: {near}?")
            elif key in values:
                self.fail(key_node, f"{key!r} stands twice in {what}")
            else:
                values[key] = self.convert(value_node, hints[key], f"{key!r}")
        missing = [
            name for name, field in fields.items() if name not in values and _is_required(field)
        ]
        if missing:
            return self.fail(node, f"{what} lacks {', '.join(missing)}")
        if any(value is _FAILED for value in values.values()):
            return _FAILED
        try:
            return wanted(**values)
        except ValueError as error:
            return self.fail(node, f"{what}: {error}")

    def _optional(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        if node.tag == "tag:yaml.org,2002:null":
            return None
        choices = [choice for choice in get_args(wanted) if choice is not type(None)]
        for choice in choices[:-1]:
            attempt = _Reader(self.path)
            value = attempt.convert(node, choice, what)
            if not attempt.problems:
                return value
        return self.convert(node, choices[-1], what)

    def _literal(self, node: yaml.Node, choices: tuple[Any, ...], what: str) -> Any:
        value = _scalar_value(node)
        if value in choices:
            return value
        return self.fail(
            node, f"{what} must be one of {', '.join(map(str, choices))}, not {value!r}"
        )

    def _mapping(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            return self.fail(node, f"{what} must be a mapping")
        key_type, value_type = get_args(wanted)
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.convert(key_node, key_type, f"a key of {what}")
            if key in mapping:
                self.fail(key_node, f"{key!r} stands twice in {what}")
            mapping[key] = self.convert(value_node, value_type, f"{what}.{key_node.value}")
        return _FAILED if _FAILED in mapping.values() else mapping

    def _sequence(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return self.fail(node, f"{what} must be a list")
        arguments = get_args(wanted)
        is_open = get_origin(wanted) is list or arguments[-1] is Ellipsis
        if not is_open and len(arguments) != len(node.value):
            return self.fail(node, f"{what} must hold {len(arguments)} values")
        kinds = [arguments[0]] * len(node.value) if is_open else list(arguments)
        values = [
            self.convert(item, kind, f"item {place + 1} of {what}")
            for place, (item, kind) in enumerate(zip(node.value, kinds, strict=True))
        ]
        if any(value is _FAILED for value in values):
            return _FAILED
        return values if get_origin(wanted) is list else tuple(values)

    def _scalar(self, node: yaml.Node, wanted: Any, what: str) -> Any:
        value = _scalar_value(node)
        if wanted is Any:
            return value
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if wanted is int and isinstance(value, bool):
            return self.fail(node, f"{what} must be a whole number, not {value!r}")
        if isinstance(value, wanted):
            return value
        names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        return self.fail(node, f"{what} must be {names.get(wanted, wanted)}, not {value!r}")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def _type_hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record)


def _scalar_value(node: yaml.Node) -> Any:
    if node.tag == "tag:yaml.org,2002:str":
        return node.value
    return yaml.constructor.SafeConstructor().construct_document(node)
