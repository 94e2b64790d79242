"""Any supported checkpoint file as a dictionary of NumPy arrays.

The format follows from the bytes, not from the suffix: `.pth` and `.bin` stand for both of
PyTorch's formats, the older one is a pickle as `.pdparams` is, and a `.keras` file is a zip
archive as well.
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
from hubcls.weights.paddle_files import read_pdparams
from hubcls.weights.tar_archives import decompress, is_tar
from hubcls.weights.torch_files import is_legacy, read_legacy, read_zip
from hubcls.weights.variable_folders import read_variable_archive, read_variable_folder

_GZIP_MAGIC = b"\x1f\x8b"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_SAFETENSORS_TYPES: Mapping[str, str] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_arrays(path: Path, *, sha256: str | None = None) -> dict[str, Array]:
    """The arrays of a checkpoint by their keys; half precision is kept, bfloat16 widened.

    Reads PyTorch's `.pth` (both formats), `.safetensors`, PaddlePaddle's `.pdparams` and its
    folders with a file for each variable, as they are or as `.tar` or `.tar.gz`, and Keras'
    `.weights.h5` and `.keras`. Nothing in the file is executed or extracted.

    Args:
        path: the file, or the folder of PaddlePaddle's variables.
        sha256: what the bytes must hash to, checked before anything is parsed.

    Raises:
        UnsafeCheckpointError: the file asks for more than arrays.
        WeightsError: it is missing, damaged, of another format, or not the one that
            `sha256` means.
    """
    is_folder = Path(path).is_dir()
    if sha256 is not None and is_folder:
        raise WeightsError(f"{path} is a folder, and a sha256 belongs to a file")
    try:
        return read_variable_folder(Path(path)) if is_folder else _read_file(Path(path), sha256)
    except WeightsError as error:
        raise type(error)(f"{path}: {error}") from None


def _read_file(path: Path, sha256: str | None) -> dict[str, Array]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"the file cannot be read: {error.strerror or error}") from None
    if sha256 is not None:
        _check_sha256(content, sha256)
    return _parse(content)


def _check_sha256(content: bytes, wanted: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != wanted.lower():
        raise WeightsError(
            f"this is not the published file: its sha256 is {found}, not {wanted}.\n"
            "  Delete it and install or download it again."
        )


def _parse(content: bytes) -> dict[str, Array]:
    # First: its header's length may begin with the bytes that mark another format.
    if _is_safetensors(content):
        return _read_safetensors(content)
    if content.startswith(_HDF5_MAGIC):
        return read_hdf5(content)
    if is_tar(content):
        return read_variable_archive(content)
    if content.startswith(_GZIP_MAGIC):
        return read_variable_archive(decompress(content))
    if content.startswith(b"PK"):
        archive = StoredArchive(content)
        if KERAS_ENTRY in archive.names:
            return read_hdf5(archive.read(KERAS_ENTRY))
        return read_zip(archive)
    if content.startswith(b"\x80"):
        return read_legacy(content) if is_legacy(content) else read_pdparams(content)
    raise WeightsError(
        "the file is of no known format; .pth, .safetensors, .pdparams, .tar with a file for "
        "each variable of PaddlePaddle, .weights.h5 and .keras are read"
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
