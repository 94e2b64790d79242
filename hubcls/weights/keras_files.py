"""Keras' own `.weights.h5` and `.keras` files, as arrays by layer name.

Only the arrays are read; the network that a `.keras` file describes is not rebuilt, so
nothing in it can choose which classes to construct.
"""

from __future__ import annotations

import io

import h5py
import numpy as np

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights.layouts import Array

KERAS_ENTRY = "model.weights.h5"
"""Where a `.keras` archive keeps its weights."""


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
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
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
            kind = group.get(name, getclass=True)
            if kind not in (h5py.Group, h5py.Dataset):
                raise WeightsError(f"{child} of the Keras file is neither group nor numbers")
            (waiting if kind is h5py.Group else found).append(child)
    return found


def _key(file: h5py.File, path: str) -> str:
    parts = path.split("/")
    if len(parts) != 4 or parts[0] != "layers" or parts[2] != "vars":
        return path
    attributes = file["/".join(parts[:3])].attrs
    # An attribute of a damaged file may claim to hold billions of names.
    if "name" not in attributes or attributes.get_id("name").shape != ():
        return path
    return f"{attributes['name']}/{parts[3]}"


def _read_dataset(dataset: h5py.Dataset, path: str, file_bytes: int) -> Array:
    if dataset.external or dataset.is_virtual:
        raise UnsafeCheckpointError(f"{path} of the Keras file lies in another file")
    if dataset.nbytes > file_bytes:
        raise UnsafeCheckpointError(f"{path} of the Keras file claims {dataset.nbytes} bytes")
    return np.asarray(dataset[()])
