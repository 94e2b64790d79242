"""A data set from whatever a user writes after `--dataset`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hubcls.datasets.base import Dataset
from hubcls.datasets.finding import names, spec
from hubcls.datasets.spec import LABEL_FILE, LIST_FILES
from hubcls.errors import ConfigError, UnknownNameError
from hubcls.registry import Table

_CLASSES = Table(
    "kind of data set",
    {
        "digits": "hubcls.datasets.digits:Digits",
        "fashion_mnist": "hubcls.datasets.fashion_mnist:FashionMNIST",
        "imagenet": "hubcls.datasets.imagenet:ImageNet1k",
        "catalogued": "hubcls.datasets.catalogued:CataloguedDataset",
        "tfds": "hubcls.datasets.tfds_export:from_tfds",
        "folder": "hubcls.datasets.folder:ImageFolder",
        "lists": "hubcls.datasets.image_list:BaseCVDataset",
        ".csv": "hubcls.datasets.table:ImageTable",
        ".tsv": "hubcls.datasets.table:ImageTable",
        ".txt": "hubcls.datasets.image_list:ImageList",
    },
)

_TFDS = "tfds:"


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
    if str(name_or_path).startswith(_TFDS):
        return _made("tfds", str(name_or_path).removeprefix(_TFDS), **arguments)
    path = Path(name_or_path).expanduser()
    if not path.exists() or name_or_path in names():
        return _open_row(str(name_or_path), path, **arguments)
    if path.is_dir():
        return _open_folder(path, **arguments)
    if path.suffix.lower() in _CLASSES:
        return _made(path.suffix.lower(), path, **arguments)
    raise ConfigError(f"{path} is neither a folder nor a .csv, .tsv or .txt file")


def _open_row(name: str, path: Path, /, **arguments: Any) -> Dataset:
    try:
        row = spec(name)
    except UnknownNameError:
        if not any(sign in name for sign in "/\\."):
            raise
        raise ConfigError(
            f"{path} does not exist; data sets by name: {', '.join(names())}"
        ) from None
    if row.name in _CLASSES:
        return _made(row.name, **arguments)
    return _made("catalogued", **{"row": row, **arguments})


def _open_folder(path: Path, /, **arguments: Any) -> Dataset:
    files = {"train_list_file": LIST_FILES["train"], "validate_list_file": LIST_FILES["val"]}
    files |= {"test_list_file": LIST_FILES["test"], "label_list_file": LABEL_FILE}
    present = {key: name for key, name in files.items() if (path / name).is_file()}
    if "train_list_file" not in present:
        return _made("folder", path, **arguments)
    return _made("lists", path, **{**present, **arguments})


def _made(kind: str, /, *places: str | Path, **arguments: Any) -> Dataset:
    reader = _CLASSES[kind]
    taken = list(inspect.signature(reader).parameters)[len(places) :]
    unknown = [name for name in arguments if name not in taken]
    if unknown:
        raise ConfigError(
            f"{reader.__name__} does not take {', '.join(unknown)}; it takes {', '.join(taken)}"
        )
    dataset: Dataset = reader(*places, **arguments)
    return dataset
