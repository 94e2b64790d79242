"""Data sets of tensorflow-datasets, written once as image files and list files."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from hubcls.datasets.base import PHASES, Dataset, DatasetInfo
from hubcls.datasets.checking import OnError
from hubcls.datasets.image_list import read_lists
from hubcls.downloads.locking import locked
from hubcls.errors import (
    ConfigError,
    DataError,
    DownloadError,
    MissingExtraError,
    OfflineError,
    UnknownNameError,
)
from hubcls.home import datasets_home, is_offline
from hubcls.logs import logger
from hubcls.progress import progress

_LIST_FILE = "list.txt"
_IMAGES_PER_FOLDER = 1000
_SPLITS = {"train": ("train",), "val": ("validation", "val", "dev"), "test": ("test",)}
_JPEG_STARTS, _PNG_STARTS = b"\xff\xd8\xff", b"\x89PNG"


class TfdsDataset(Dataset):
    """A data set of tensorflow-datasets; `hubcls.datasets.from_tfds`.

    The first time its images are written as files, as they are encoded there, to
    ~/.hubcls/datasets/tfds, one at a time: it may be larger than the memory.
    """

    def __init__(
        self,
        name: str,
        *,
        splits: Mapping[str, str] | None = None,
        keys: tuple[str, str] | None = None,
        data_dir: str | Path | None = None,
        on_error: OnError = "raise",
    ) -> None:
        """Have it fetched and prepared, write its images, and read them as lists.

        Args:
            name: "beans", or with configuration and version: "beans:0.1.0".
            splits: "train", "val" or "test" → a split as tensorflow-datasets writes them:
                "train[:90%]"; by default those of such names, where there are any.
            keys: the features with the image and its label; by default those that the data set
                names for supervised training. A sequence of labels makes it multi-label.
            data_dir: where tensorflow-datasets keeps its own files; its own default.
            on_error: "raise" when an image cannot be read, or "exclude" it.

        Raises:
            MissingExtraError: tensorflow-datasets is not installed.
            UnknownNameError: it has no such data set.
            DownloadError: the data set could not be fetched or prepared.
            ConfigError: a phase, a split or a key is none.
            DataError: examples have no label.
            UnreadableImagesError: images cannot be read; lists all of them.
        """
        builder = _prepared(name, data_dir)
        image, label = keys or _supervised_keys(builder)
        names, is_multi_label = _classes(builder, image, label)
        root = datasets_home() / "tfds" / re.sub(r"[^\w.-]+", "-", builder.info.full_name)
        files = {}
        for phase, split in _chosen(builder, splits).items():
            what = f"{image} {label} {split}"
            folder = root / f"{phase}-{sha256(what.encode()).hexdigest()[:12]}"
            with locked(folder):
                if not folder.is_dir():
                    examples = _examples(builder, split, image, label)
                    _export(examples, folder, num_classes=len(names) if is_multi_label else 0)
            files[phase] = f"{folder.name}/{_LIST_FILE}"
        found = read_lists(root, files, labels=names, name=builder.name, on_error=on_error)
        licence = builder.info.as_proto.redistribution_info.license
        info = DatasetInfo(
            name=builder.name,
            class_names=found.info.class_names,
            is_multi_label=is_multi_label,
            excluded=found.info.excluded,
            licence=licence or "not stated by tensorflow-datasets",
            source=f"tensorflow-datasets {builder.info.full_name}",
        )
        super().__init__(info, found.splits)


def _tfds() -> Any:
    try:
        import tensorflow_datasets
    except ImportError:
        raise MissingExtraError(
            "tensorflow_datasets", extra="tfds", purpose="hubcls.datasets.from_tfds"
        ) from None
    return tensorflow_datasets


def _prepared(name: str, data_dir: str | Path | None) -> Any:
    """The builder, after it has fetched and prepared its files."""
    tfds = _tfds()
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError:
        known = tfds.list_builders(with_community_datasets=False)
        raise UnknownNameError("data set of tensorflow-datasets", name, known) from None
    if is_offline() and not builder.is_prepared():
        raise OfflineError(
            f"{name} is not in {builder.data_dir}, and HUBCLS_OFFLINE forbids the network"
        )
    try:
        builder.download_and_prepare()
    # Each of its data sets brings code of its own, which may raise anything.
    except Exception as error:
        raise DownloadError(f"tensorflow-datasets could not prepare {name}: {error}") from error
    return builder


def _supervised_keys(builder: Any) -> tuple[str, str]:
    found = builder.info.supervised_keys
    if not isinstance(found, tuple) or len(found) != 2 or not all(type(k) is str for k in found):
        raise ConfigError(
            f"{builder.name} does not say which of its features are the image and the label; "
            f"name them: keys=(image, label), of {', '.join(builder.info.features)}"
        )
    return found[0], found[1]


def _classes(builder: Any, image: str, label: str) -> tuple[tuple[str, ...], bool]:
    """The class names, and whether an image may have several."""
    kinds, features = _tfds().features, builder.info.features
    for key in (image, label):
        if key not in features:
            raise ConfigError(
                f"{builder.name} has no feature {key!r}; it has: {', '.join(features)}"
            )
    is_multi_label = isinstance(features[label], kinds.Sequence)
    classes = features[label].feature if is_multi_label else features[label]
    if not isinstance(features[image], kinds.Image) or not isinstance(classes, kinds.ClassLabel):
        raise ConfigError(
            f"{builder.name}: {image!r} must be an image and {label!r} a class label or a "
            f"sequence of them, not {features[image]} and {features[label]}"
        )
    return tuple(classes.names), is_multi_label


def _chosen(builder: Any, splits: Mapping[str, str] | None) -> dict[str, str]:
    """Phase → split, as wished or by name."""
    there = list(builder.info.splits)
    if splits is None:
        found = {
            phase: next(name for name in names if name in there)
            for phase, names in _SPLITS.items()
            if set(names) & set(there)
        }
        unused = sorted(set(there) - set(found.values()))
        if unused:
            logger.info("%s: these splits are not used: %s", builder.name, ", ".join(unused))
        splits = found
    for phase, split in splits.items():
        if phase not in PHASES or split.partition("[")[0] not in there:
            raise ConfigError(
                f"splits must map {', '.join(PHASES)} to splits of {builder.name} "
                f"({', '.join(there)}), not {phase!r} to {split!r}"
            )
    return dict(splits)


def _examples(builder: Any, split: str, image: str, label: str) -> Any:
    """Pairs of the encoded image and the label, one at a time, always in the same order."""
    tfds = _tfds()
    decoders = tfds.decode.PartialDecoding(
        {image: True, label: True}, decoders={image: tfds.decode.SkipDecoding()}
    )
    examples = builder.as_dataset(split=split, decoders=decoders, shuffle_files=False)
    with progress(len(examples), f"{builder.name}: writing images", unit="images") as advance:
        for example in tfds.as_numpy(examples):
            yield example[image], example[label]
            advance(1)


def _export(examples: Any, folder: Path, *, num_classes: int) -> None:
    """Write images and list into a folder that gets its name at the end."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with (unfinished / _LIST_FILE).open("w", encoding="utf-8") as lines:
        for number, (content, label) in enumerate(examples):
            part = f"{number // _IMAGES_PER_FOLDER:05}"
            path = f"{part}/{number % _IMAGES_PER_FOLDER:03}{_suffix(content)}"
            (unfinished / part).mkdir(exist_ok=True)
            (unfinished / path).write_bytes(content)
            lines.write(f"{folder.name}/{path} {_written(label, num_classes)}\n")
    unfinished.rename(folder)


def _written(label: Any, num_classes: int) -> str:
    """The label as list files have it: a number, or a 0 or 1 for each of the classes."""
    if np.any(np.asarray(label) < 0):
        raise DataError(
            "there are examples whose label is not told (-1), as of a competition's test; "
            'leave their split out: splits={"train": …, "val": …}'
        )
    if not num_classes:
        return str(int(label))
    return ",".join("1" if number in set(label.tolist()) else "0" for number in range(num_classes))


def _suffix(content: bytes) -> str:
    """What the bytes are; readers look at them too, not at the name."""
    if content.startswith(_JPEG_STARTS):
        return ".jpg"
    return ".png" if content.startswith(_PNG_STARTS) else ".img"
