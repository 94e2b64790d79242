"""CIFAR-10 and CIFAR-100 as their authors publish them: pickled batches of pixels."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hubcls.datasets.base import Split
from hubcls.errors import DataError, WeightsError
from hubcls.weights.numpy_pickles import NUMPY_NAMES, ArrayRecord, build_arrays
from hubcls.weights.unpickling import Dialect, unpickle

_SIDE = 32
# A pickle is a program: only dictionaries, lists and arrays are built from these.
_DIALECT = Dialect(names=NUMPY_NAMES, text_encoding="latin1")


@dataclass(frozen=True)
class _Form:
    """Which files there are, and under which keys they hold labels and class names."""

    meta: str
    names: str
    labels: str
    train: tuple[str, ...]
    test: str


_FORMS = (
    _Form(
        meta="batches.meta",
        names="label_names",
        labels="labels",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
    ),
    _Form(
        meta="meta",
        names="fine_label_names",
        labels="fine_labels",
        train=("train",),
        test="test",
    ),
)


def read_batches(folder: Path) -> tuple[tuple[str, ...], dict[str, Split]]:
    """The classes and the images of CIFAR-10 or, with its fine labels, CIFAR-100.

    Krizhevsky 2009, "Learning multiple layers of features from tiny images".

    Args:
        folder: holds the unpacked batches.

    Returns:
        Class names, and "train" and "test" with images uint8 [N, 32, 32, 3], RGB.

    Raises:
        DataError: a file is missing, holds something else, or carries code.
    """
    form = next((form for form in _FORMS if (folder / form.meta).is_file()), None)
    if form is None:
        raise DataError(f"{folder} holds neither {' nor '.join(form.meta for form in _FORMS)}")
    _, meta = _unpickled(folder / form.meta)
    names = meta.get(form.names)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{folder / form.meta} holds no list of names called {form.names}")
    train = [_split(folder / name, form.labels) for name in form.train]
    return tuple(names), {"train": _joined(train), "test": _split(folder / form.test, form.labels)}


def _split(path: Path, labels_key: str) -> Split:
    """One batch: a row of 3,072 values an image, first all red ones, then green, then blue."""
    size, batch = _unpickled(path)
    record, labels = batch.get("data"), batch.get(labels_key)
    if not isinstance(record, ArrayRecord) or not isinstance(labels, list):
        raise DataError(f"{path} lacks the array data or the list {labels_key}")
    try:
        pixels = build_arrays({"data": record}, limit_bytes=size)["data"]
    except WeightsError as error:
        raise _no_batch(path, error) from None
    count = len(labels)
    if pixels.dtype != np.uint8 or pixels.shape != (count, 3 * _SIDE * _SIDE):
        raise DataError(
            f"{path}: data must be uint8 [{count}, {3 * _SIDE * _SIDE}] beside {count} labels, "
            f"not {pixels.dtype} {list(pixels.shape)}"
        )
    if any(type(label) is not int for label in labels):
        raise DataError(f"{path}: {labels_key} must be whole numbers")
    planes = pixels.reshape(count, 3, _SIDE, _SIDE)
    return Split(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), np.array(labels, np.int64))


def _joined(batches: Sequence[Split]) -> Split:
    return Split(
        np.concatenate([np.asarray(batch.images) for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
    )


def _unpickled(path: Path) -> tuple[int, dict[str, Any]]:
    """The size of a pickle in bytes, and the dictionary that it holds."""
    try:
        content = path.read_bytes()
        value = unpickle(io.BytesIO(content), _DIALECT)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    except WeightsError as error:
        raise _no_batch(path, error) from None
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no dictionary")
    return len(content), value


def _no_batch(path: Path, error: WeightsError) -> DataError:
    reason = str(error).partition("\n")[0]
    return DataError(
        f"{path} is refused as a batch of CIFAR: {reason}\n  Remove it, and fetch it again."
    )
