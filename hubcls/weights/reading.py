"""Any supported checkpoint file as a dictionary of NumPy arrays.

The format follows from the first bytes, not from the suffix: `.pth` and `.bin` stand for
both of PyTorch's formats, and a `.keras` file is a zip archive as well.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from hubcls.errors import WeightsError
from hubcls.weights.keras_files import WEIGHTS_ENTRY, read_hdf5, read_keras
from hubcls.weights.layouts import Array
from hubcls.weights.torch_files import read_legacy, read_zip

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


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
        return read_keras(content) if _is_keras_archive(content) else read_zip(content)
    if content.startswith(b"\x80"):
        return read_legacy(content)
    if _is_safetensors(content):
        return _read_safetensors(content)
    raise WeightsError(
        "the file is of no known format; .pth, .safetensors, .weights.h5 and .keras are read"
    )


def _is_keras_archive(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return WEIGHTS_ENTRY in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _is_safetensors(content: bytes) -> bool:
    header_bytes = int.from_bytes(content[:8], "little")
    return len(content) >= 8 + header_bytes and content[8:9] == b"{"


def _read_safetensors(content: bytes) -> dict[str, Array]:
    try:
        arrays: dict[str, Array] = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, json.JSONDecodeError, KeyError, ValueError) as error:
        raise WeightsError(f"the safetensors file is damaged: {error}") from None
    return {
        key: array.astype(np.float32) if array.dtype.name == "bfloat16" else array
        for key, array in arrays.items()
    }
