"""Your own photos, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubcls.datasets.base import Dataset, DatasetInfo, LabelKeeping, divided
from hubcls.datasets.checking import Listing, OnError, checked_splits
from hubcls.errors import DataError
from hubcls.logs import logger

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
# What lies beside images in practice. Any other file of a class folder must be an image.
_NO_IMAGES = (
    *(".csv", ".db", ".docx", ".htm", ".html", ".ini", ".json", ".log", ".mat", ".md", ".npy"),
    *(".npz", ".pdf", ".py", ".rst", ".sh", ".toml", ".tsv", ".txt", ".xlsx", ".xml", ".yaml"),
    *(".yml", ".zip"),
)


class ImageFolder(Dataset):
    """Images in class folders: `path/train/cat/1.jpg`, or `path/cat/1.jpg` to be split.

    Images may lie deeper within a class folder. Class names are the folders', sorted.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        on_error: OnError = "raise",
        keeps_label: LabelKeeping | None = None,
    ) -> None:
        """Find, check and split the images.

        Args:
            path: a folder that holds `train`, and perhaps `val` (also valid, validation,
                dev) and `test`; or one that holds the class folders.
            val_fraction: share of the images for validation, where no folder holds them.
            test_fraction: share of the images for the test, where `path` holds class
                folders; 0 for no test split.
            seed: which images go where; the same seed and files give the same splits.
            on_error: "raise" when an image cannot be read, or "exclude" it.
            keeps_label: which augmentations suit the images; flip and crop by default.

        Raises:
            DataError: there are no images, less than two classes, a class without
                images, or a class of val or test that train lacks.
            UnreadableImagesError: images cannot be read; lists all of them.
        """
        root = Path(path).expanduser().absolute()
        if not root.is_dir():
            raise DataError(f"{root} is no folder")
        folders = _split_folders(root)
        class_names = _class_names(folders)
        listings = {
            phase: class_folder_listing(folder, class_names) for phase, folder in folders.items()
        }
        splits, excluded = checked_splits(listings, root.name, on_error=on_error)
        _refuse_empty_classes(folders["train"], class_names, splits["train"].labels)
        if len(folders) == 1 and folders["train"] == root:
            splits = divided(
                splits["train"], val_fraction=val_fraction, test_fraction=test_fraction, seed=seed
            )
        super().__init__(
            DatasetInfo(
                name=root.name,
                class_names=class_names,
                keeps_label=keeps_label or LabelKeeping(),
                excluded=excluded,
                source=str(root),
            ),
            splits,
            val_fraction=val_fraction,
            seed=seed,
        )


def images_under(folder: Path) -> Iterator[str]:
    """The paths of the images below a folder, sorted; other files are left out and logged."""
    visited: set[str] = set()
    ignored = 0
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        real = os.path.realpath(place)
        if real in visited:  # a link that leads back
            folders.clear()
            continue
        visited.add(real)
        for name in sorted(files):
            if name.startswith(".") or name.lower().endswith(_NO_IMAGES):
                ignored += not name.startswith(".")
            else:
                yield os.path.join(place, name)  # noqa: PTH118 - called 100,000 times
    if ignored:
        logger.info("%s: %d files that are no images are left out", folder, ignored)


def class_folder_listing(folder: Path, class_names: Sequence[str]) -> Listing:
    """The images of the folders that are called as the classes, in their order.

    A class without a folder has no images.
    """
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = list(images_under(folder / name)) if (folder / name).is_dir() else []
        paths += found
        labels += [label] * len(found)
    return Listing(paths, labels)


def _folders_in(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if item.is_dir() and not _is_hidden(item.name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _split_folders(root: Path) -> dict[str, Path]:
    """Phase → folder; the root alone, as "train", when it holds the class folders."""
    folders = _folders_in(root)
    by_phase: dict[str, Path] = {}
    others = []
    for folder in folders:
        phase = _SPLIT_NAMES.get(folder.name.lower())
        if phase is None:
            others.append(folder.name)
        elif phase in by_phase:
            raise DataError(f"{by_phase[phase]} and {folder} both mean the {phase} split")
        else:
            by_phase[phase] = folder
    # A folder called "train" may also be the class of railway trains.
    if "train" not in by_phase or (others and not _folders_in(by_phase["train"])):
        return {"train": root}
    if others:
        logger.warning("%s: these folders are no split, left out: %s", root, ", ".join(others))
    return by_phase


def _class_names(folders: Mapping[str, Path]) -> tuple[str, ...]:
    found = {
        phase: tuple(item.name for item in _folders_in(folder)) for phase, folder in folders.items()
    }
    names = found["train"]
    if len(names) < 2:
        raise DataError(
            f"{folders['train']} holds {len(names)} class folder(s) {', '.join(names)}; "
            "at least two are needed, each with the images of one class"
        )
    strange = [
        f"{folders[phase] / name}" for phase in found for name in found[phase] if name not in names
    ]
    if strange:
        raise DataError(
            f"these classes have no training images in {folders['train']}:\n  "
            + "\n  ".join(strange)
        )
    return names


def _refuse_empty_classes(
    folder: Path, class_names: tuple[str, ...], labels: NDArray[np.int64]
) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    empty = [
        str(folder / name) for name, count in zip(class_names, counts, strict=True) if not count
    ]
    if empty:
        raise DataError(
            "these class folders hold no readable image; fill or remove them:\n  "
            + "\n  ".join(empty)
        )
