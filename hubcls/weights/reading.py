"""Any supported checkpoint file as a dictionary of NumPy arrays.

The format follows from the first bytes, not from the suffix: `.pth` and `.bin` stand for
both of PyTorch's formats, and a `.keras` file is a zip archive as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from hubcls.errors import WeightsError
from hubcls.weights.archives import StoredArchive
from hubcls.weights.keras_files import KERAS_ENTRY, read_hdf5
from hubcls.weights.layouts import Array, bfloat16_to_float32
from hubcls.weights.torch_files import read_legacy, read_zip

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_SAFETENSORS_TYPES: Mapping[str, str] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_arrays(path: Path, *, sha256: str | None = None) -> dict[str, Array]:
    """The arrays of a checkpoint by their keys; half precision is kept, bfloat16 widened.

    Reads PyTorch's `.pth` (both formats), `.safetensors`, and Keras' `.weights.h5` and
    `.keras`. Nothing in the file is executed.

    Args:
        path: the file.
        sha256: what the bytes must hash to, checked before anything is parsed.

    Raises:
        UnsafeCheckpointError: the file asks for more than arrays.
        WeightsError: it is missing, damaged, of another format, or not the one that
            `sha256` means.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    if sha256 is not None:
        _check_sha256(path, content, sha256)
    try:
        return _parse(content)
    except WeightsError as error:
        raise type(error)(f"{path}: {error}") from None


def _check_sha256(path: Path, content: bytes, wanted: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.lower():
        raise WeightsError(
            f"{path} is not the published file: its sha256 is {found}, not {wanted}.\n"
            "  Delete it and install or download it again."
        )


def _parse(content: bytes) -> dict[str, Array]:
    if content.startswith(_HDF5_MAGIC):
        return read_hdf5(content)
    if content.startswith(b"PK"):
        archive = StoredArchive(content)
        if KERAS_ENTRY in archive.names:
            return read_hdf5(archive.read(KERAS_ENTRY))
        return read_zip(archive)
    if content.startswith(b"\x80"):
        return read_legacy(content)
    if _is_safetensors(content):
        return _read_safetensors(content)
    raise WeightsError(
        "the file is of no known format; .pth, .safetensors, .weights.h5 and .keras are read"
    )


def _is_safetensors(content: bytes) -> bool:
    header_bytes = int.from_bytes(content[:8], "little")
    return len(content) >= 8 + header_bytes and content[8:9] == b"{"


def _read_safetensors(content: bytes) -> dict[str, Array]:
    try:
        entries = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise WeightsError(f"the safetensors file is damaged: {error}") from None
    strangers = [key for key, entry in entries if entry["dtype"] not in _SAFETENSORS_TYPES]
    if strangers:
        raise WeightsError(f"these tensors have types unknown to NumPy: {', '.join(strangers)}")
    return {key: _tensor(entry) for key, entry in entries}


def _tensor(entry: Mapping[str, Any]) -> Array:
    numbers: Array = np.frombuffer(entry["data"], dtype=_SAFETENSORS_TYPES[entry["dtype"]])
    if entry["dtype"] == "BF16":
        numbers = bfloat16_to_float32(numbers)
    return np.reshape(numbers, tuple(entry["shape"]))
