"""PaddleHub's four list files for data sets that their authors publish in another form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from hubcls.datasets.folder import images_under
from hubcls.datasets.spec import LABEL_FILE, LIST_FILES, DatasetSpec, Source
from hubcls.datasets.splitting import divide
from hubcls.errors import DataError

# The lists of a data set are the same on every machine.
_SEED = 0
VAL_FRACTION = 0.1
"""Share of the training images that becomes the validation split where none is published."""
_TEST_FRACTION = 0.1


@dataclass(frozen=True)
class _Lists:
    """Class names, and (path within the base folder, class name) by phase."""

    class_names: tuple[str, ...]
    entries: Mapping[str, list[tuple[str, str]]]


def write_lists(row: DatasetSpec, source: Source, folder: Path) -> None:
    """Write the four list files into the base folder of a data set just unpacked.

    Official splits are kept; a tenth of the training images becomes a missing validation
    split. Without official splits a tenth each becomes validation and test.

    Args:
        row: the data set.
        source: where it came from.
        folder: the data set's folder, which `source.base` starts from.

    Raises:
        DataError: the folder does not hold what the layout says.
    """
    try:
        lists = _LAYOUTS[source.layout](row, source, folder)
    except (OSError, LookupError, ValueError) as error:
        raise DataError(
            f"{row.name}: the files are not laid out as {source.layout}: {error}"
        ) from error
    base = folder / source.base
    numbers = {name: number for number, name in enumerate(lists.class_names)}
    for phase, entries in _with_validation(lists.entries, numbers).items():
        lines = [f"{path} {numbers[name]}\n" for path, name in entries]
        (base / LIST_FILES[phase]).write_text("".join(lines), encoding="utf-8")
    names = "".join(f"{name}\n" for name in lists.class_names)
    (base / LABEL_FILE).write_text(names, encoding="utf-8")


def _with_validation(
    entries: Mapping[str, list[tuple[str, str]]], numbers: Mapping[str, int]
) -> dict[str, list[tuple[str, str]]]:
    if "val" in entries:
        return dict(entries)
    train = entries["train"]
    labels = np.array([numbers[name] for _, name in train], np.int64)
    test_fraction = 0 if "test" in entries else _TEST_FRACTION
    parts = divide(labels, val_fraction=VAL_FRACTION, test_fraction=test_fraction, seed=_SEED)
    divided = {phase: [train[place] for place in places] for phase, places in parts.items()}
    return {**entries, **divided}


def _class_folders(row: DatasetSpec, source: Source, folder: Path) -> _Lists:
    """A folder of images for each class; no official splits."""
    base = folder / source.base
    entries = [
        (str(Path(path).relative_to(base)), name)
        for name in row.class_names
        for path in images_under(_existing(base / source.folders.get(name, name)))
    ]
    return _Lists(row.class_names, {"train": entries})


def _food101(row: DatasetSpec, source: Source, folder: Path) -> _Lists:
    """meta/train.txt and meta/test.txt hold `class/number`, without the .jpg."""
    meta = (folder / source.base).parent / "meta"
    entries = {
        phase: [(f"{line}.jpg", line.partition("/")[0]) for line in _lines(meta / f"{phase}.txt")]
        for phase in ("train", "test")
    }
    return _Lists(_names(entries), entries)


def _indoor67(row: DatasetSpec, source: Source, folder: Path) -> _Lists:
    """TrainImages.txt and TestImages.txt hold `class/file`."""
    files = {"train": "TrainImages.txt", "test": "TestImages.txt"}
    entries = {
        phase: [(line, line.partition("/")[0]) for line in _lines(folder / name)]
        for phase, name in files.items()
    }
    return _Lists(_names(entries), entries)


def _stanford_dogs(row: DatasetSpec, source: Source, folder: Path) -> _Lists:
    """MATLAB files with `n02085620-Chihuahua/n02085620_5927.jpg`; classes by WordNet id."""
    entries = {}
    for phase in ("train", "test"):
        found = loadmat(folder / "lists" / f"{phase}_list.mat", squeeze_me=True)["file_list"]
        paths = [str(path) for path in np.atleast_1d(found)]
        entries[phase] = [(path, path.partition("/")[0]) for path in paths]
    named = {
        phase: [(path, _breed(class_folder)) for path, class_folder in group]
        for phase, group in entries.items()
    }
    return _Lists(tuple(_breed(name) for name in _names(entries)), named)


def _flowers102(row: DatasetSpec, source: Source, folder: Path) -> _Lists:
    """MATLAB files with the class of every image and the images of every split, from 1."""
    labels = np.ravel(loadmat(folder / "imagelabels.mat")["labels"])
    splits = loadmat(folder / "setid.mat")
    entries = {
        phase: [
            (f"image_{number:05}.jpg", row.class_names[labels[number - 1] - 1])
            for number in np.ravel(splits[key]).tolist()
        ]
        for phase, key in (("train", "trnid"), ("val", "valid"), ("test", "tstid"))
    }
    return _Lists(row.class_names, entries)


def _breed(class_folder: str) -> str:
    return re.sub(r"^n\d+-", "", class_folder)


def _names(entries: Mapping[str, Iterable[tuple[str, str]]]) -> tuple[str, ...]:
    return tuple(sorted({name for group in entries.values() for _, name in group}))


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing")
    return folder


_LAYOUTS: Mapping[str, Callable[[DatasetSpec, Source, Path], _Lists]] = {
    "class_folders": _class_folders,
    "flowers102": _flowers102,
    "food101": _food101,
    "indoor67": _indoor67,
    "stanford_dogs": _stanford_dogs,
}
