"""A data set from whatever a user writes after `--dataset`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubcls.datasets.base import Dataset
from hubcls.datasets.finding import names, spec
from hubcls.datasets.spec import LABEL_FILE, LIST_FILES
from hubcls.errors import ConfigError, UnknownNameError
from hubcls.registry import Table
from hubcls.typed_yaml import plain

_CLASSES = Table(
    "kind of data set",
    {
        "digits": "hubcls.datasets.digits:Digits",
        "fashion_mnist": "hubcls.datasets.fashion_mnist:FashionMNIST",
        "imagenet": "hubcls.datasets.imagenet:ImageNet1k",
        "catalogued": "hubcls.datasets.catalogued:CataloguedDataset",
        "tfds": "hubcls.datasets.tfds_export:TfdsDataset",
        "folder": "hubcls.datasets.folder:ImageFolder",
        "lists": "hubcls.datasets.image_list:BaseCVDataset",
        ".csv": "hubcls.datasets.table:ImageTable",
        ".tsv": "hubcls.datasets.table:ImageTable",
        ".txt": "hubcls.datasets.image_list:ImageList",
    },
)

_TFDS = "tfds:"


@dataclass(frozen=True)
class Call:
    """What reads a data set, and what it is given.

    Attributes:
        reader: the class.
        places: its first arguments: the path or the name, where there is one.
        arguments: those that follow from what was found there.
    """

    reader: Any
    places: tuple[Path | str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)


def open_dataset(name_or_path: str | Path, **arguments: Any) -> Dataset:
    """The data set that a name or a path stands for.

    Args:
        name_or_path: a name or an alias of the catalogue ("flowers"); "tfds:" and a name of
            tensorflow-datasets ("tfds:beans"); a folder of class folders; a folder with
            PaddleHub's train_list.txt and label_list.txt; a .csv or .tsv table; or a .txt
            list. A name of the catalogue wins over a folder that is called the same: write
            ./flowers for the folder.
        arguments: keyword arguments of the class that reads it.

    Raises:
        UnknownNameError: it is neither; lists the nearest names.
        ConfigError: there is no such path, nothing reads such a file, or its class does
            not take an argument.
    """
    call = call_for(name_or_path)
    taken = list(inspect.signature(call.reader).parameters)[len(call.places) :]
    unknown = [name for name in arguments if name not in taken]
    if unknown:
        raise ConfigError(
            f"{call.reader.__name__} does not take {', '.join(unknown)}; "
            f"it takes {', '.join(taken)}"
        )
    dataset: Dataset = call.reader(*call.places, **{**call.arguments, **arguments})
    return dataset


def call_for(name_or_path: str | Path) -> Call:
    """Which class opens what a name or a path stands for, and with what.

    Raises:
        UnknownNameError: it is neither; lists the nearest names.
        ConfigError: there is no such path, or nothing reads such a file.
    """
    if str(name_or_path).startswith(_TFDS):
        return Call(_CLASSES["tfds"], (str(name_or_path).removeprefix(_TFDS),))
    path = Path(name_or_path).expanduser()
    if not path.exists() or name_or_path in names():
        return _for_row(str(name_or_path), path)
    if path.is_dir():
        return _for_folder(path)
    if path.suffix.lower() in _CLASSES:
        return Call(_CLASSES[path.suffix.lower()], (path,))
    raise ConfigError(f"{path} is neither a folder nor a .csv, .tsv or .txt file")


def opened_as(dataset: Dataset) -> dict[str, Any]:
    """What `open_dataset` takes to open a data set again, as plain values; `name` is first.

    Raises:
        ConfigError: `open_dataset` makes no such data set; says why.
    """
    kind = type(dataset)
    if not kind.__module__.startswith("hubcls.") or kind is Dataset:
        raise ConfigError(f"{dataset.info.name} is a {kind.__qualname__} made in Python")
    arguments = dataset.arguments()
    row = arguments.pop("row", None)
    name = dataset.info.name
    if name in names() and row not in (None, spec(name)):
        raise ConfigError(f"{name} was opened with a catalogue row of its own")
    if kind is _CLASSES["tfds"]:
        name = f"{_TFDS}{arguments.pop('name')}"
    elif name not in names() or not issubclass(kind, call_for(name).reader):
        # A file or a folder is the first argument of what reads it.
        name = str(Path(str(arguments.pop(next(iter(arguments))))).expanduser().absolute())
    if not issubclass(kind, call_for(name).reader):
        other = call_for(name).reader.__name__
        raise ConfigError(f"this {kind.__name__} of {name} would be opened as a {other}")
    try:
        return {"name": name, **plain(arguments)}
    except TypeError as error:
        raise ConfigError(f"{name} was opened with {error}") from None


def _for_row(name: str, path: Path) -> Call:
    try:
        row = spec(name)
    except UnknownNameError:
        if not any(sign in name for sign in "/\\."):
            raise
        raise ConfigError(
            f"{path} does not exist; data sets by name: {', '.join(names())}"
        ) from None
    if row.name in _CLASSES:
        return Call(_CLASSES[row.name])
    return Call(_CLASSES["catalogued"], arguments={"row": row})


def _for_folder(path: Path) -> Call:
    files = {"train_list_file": LIST_FILES["train"], "validate_list_file": LIST_FILES["val"]}
    files |= {"test_list_file": LIST_FILES["test"], "label_list_file": LABEL_FILE}
    present = {key: name for key, name in files.items() if (path / name).is_file()}
    if "train_list_file" not in present:
        return Call(_CLASSES["folder"], (path,))
    return Call(_CLASSES["lists"], (path,), present)
