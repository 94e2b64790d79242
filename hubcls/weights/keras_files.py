"""Keras' own `.weights.h5` and `.keras` files, as arrays by layer name.

Only the arrays are read; the network that a `.keras` file describes is not rebuilt, so
nothing in it can choose which classes to construct.
"""

from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights.layouts import Array

WEIGHTS_ENTRY = "model.weights.h5"


def read_keras(content: bytes) -> dict[str, Array]:
    """The arrays of a `.keras` archive, as `read_hdf5` names them.

    Raises:
        UnsafeCheckpointError: the entry is compressed or reaches outside the file.
        WeightsError: it is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(WEIGHTS_ENTRY)
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(content):
                raise UnsafeCheckpointError("the weights in the archive are compressed")
            weights = archive.read(entry)
    except (zipfile.BadZipFile, KeyError, RuntimeError, EOFError, OSError) as error:
        raise WeightsError(f"the Keras file is damaged: {error}") from None
    return read_hdf5(weights)


def read_hdf5(content: bytes) -> dict[str, Array]:
    """The arrays of a Keras 3 weights file: "stem_conv/0" is the first of that layer.

    Arrays of other things than the model's own layers keep their path in the file, e.g.
    "optimizer/vars/0".

    Raises:
        UnsafeCheckpointError: an entry points outside the file or claims more bytes than
            the file has.
        WeightsError: it is damaged, or two layers have one name.
    """
    arrays: dict[str, Array] = {}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            for path in _datasets(file):
                key = _key(file, path)
                if key in arrays:
                    raise WeightsError(f"the Keras file has two layers for {key!r}")
                arrays[key] = _read_dataset(file[path], path, len(content))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise WeightsError(f"the Keras file is damaged: {error}") from None
    return arrays


def _datasets(file: h5py.File) -> list[str]:
    """Paths of all datasets; groups are walked by hand, for links must be seen."""
    found: list[str] = []
    waiting, seen = [""], set()
    while waiting:
        path = waiting.pop()
        group = file[path] if path else file
        if group.id in seen:
            raise UnsafeCheckpointError(f"group {path!r} of the Keras file stands in two places")
        seen.add(group.id)
        for name in group:
            if type(group.get(name, getlink=True)) is not h5py.HardLink:
                raise UnsafeCheckpointError(f"{path}/{name} of the Keras file is a link")
            child = f"{path}/{name}".lstrip("/")
            is_group = group.get(name, getclass=True) is h5py.Group
            (waiting if is_group else found).append(child)
    return found


def _key(file: h5py.File, path: str) -> str:
    parts = path.split("/")
    if len(parts) != 4 or parts[0] != "layers" or parts[2] != "vars":
        return path
    name = file["/".join(parts[:3])].attrs.get("name")
    return f"{name}/{parts[3]}" if isinstance(name, str) else path


def _read_dataset(dataset: h5py.Dataset, path: str, file_bytes: int) -> Array:
    if dataset.external or dataset.is_virtual:
        raise UnsafeCheckpointError(f"{path} of the Keras file lies in another file")
    if dataset.nbytes > file_bytes:
        raise UnsafeCheckpointError(f"{path} of the Keras file claims {dataset.nbytes} bytes")
    return np.asarray(dataset[()])
