"""The catalogue: YAML files in modules/ and datasets/, read into checked dataclasses.

Every error names the file and the line. The files travel in three ways: in a wheel as
the data-only packages `hubcls._catalogue.modules` and `hubcls._catalogue.datasets`, and
in an editable install or a bare clone as the folders beside `hubcls/`.
"""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Literal, TypeVar

import yaml

from hubcls import typed_yaml
from hubcls.errors import CatalogueError, ConfigError

Kind = Literal["modules", "datasets"]
Record = TypeVar("Record")


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
        node = typed_yaml.compose(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: {error}") from None
    except ConfigError as error:
        raise CatalogueError(str(error)) from None
    if node is None:
        raise CatalogueError(f"{path}:1: the file is empty")
    return _converted(node, record, "the file")


def convert(values: object, record: type[Record], what: str) -> Record:
    """Plain values, as YAML gives them, as an instance of a dataclass.

    Args:
        values: a mapping.
        record: a dataclass; its annotations are the schema.
        what: the mapping's name, for messages.

    Raises:
        CatalogueError: the values are not as the dataclass says; lists every place.
    """
    return _converted(typed_yaml.node_of(values), record, what)


def _converted(node: yaml.Node, record: type[Record], what: str) -> Record:
    reader = typed_yaml.Reader()
    value = reader.convert(node, record, what)
    if reader.problems:
        raise CatalogueError("\n".join(reader.problems))
    return typing.cast(Record, value)
