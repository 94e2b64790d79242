"""PyTorch's two file formats, read without PyTorch.

Before 1.6, `torch.save` wrote pickles in a row followed by the raw numbers; since then a
zip archive with `data.pkl` and one uncompressed entry for each storage.
"""

from __future__ import annotations

import io
import math
import reprlib
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights.archives import StoredArchive
from hubcls.weights.layouts import Array, bfloat16_to_float32
from hubcls.weights.shapes import is_shape
from hubcls.weights.state_dicts import check_entries, state_dict_of
from hubcls.weights.torch_pickles import Storage, TensorView, unpickle_torch

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


def is_legacy(content: bytes) -> bool:
    """Whether a pickle is the first of those that PyTorch before 1.6 wrote in a row."""
    return _LEGACY_MAGIC.to_bytes(10, "little") in content[:32]


def read_legacy(content: bytes) -> dict[str, Array]:
    """The tensors of a checkpoint in the format before PyTorch 1.6.

    Raises:
        UnsafeCheckpointError: it wants more than tensors.
        WeightsError: it is damaged.
    """
    stream = io.BytesIO(content)
    header = [unpickle_torch(stream)[0] for _ in range(3)]
    if header[:2] != [_LEGACY_MAGIC, _LEGACY_PROTOCOL]:
        raise WeightsError("the file is a pickle, but none that torch.save wrote")
    if not isinstance(header[2], dict) or header[2].get("little_endian") is not True:
        raise WeightsError("the checkpoint was written on a big-endian machine")
    value, storages = unpickle_torch(stream)
    keys, _ = unpickle_torch(stream)
    if not _names_all(keys, storages):
        raise WeightsError("the checkpoint is damaged: its list of storages is not complete")
    numbers = {key: _read_legacy_storage(stream, storages[key]) for key in keys}
    if stream.read(1):
        raise WeightsError("the checkpoint is damaged: bytes follow its end")
    return _arrays(value, numbers)


def read_zip(archive: StoredArchive) -> dict[str, Array]:
    """The tensors of a checkpoint in the format since PyTorch 1.6.

    Raises:
        UnsafeCheckpointError: it wants more than tensors.
        WeightsError: it is damaged.
    """
    names = archive.names
    pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise WeightsError("the archive holds no data.pkl, so torch.save did not write it")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise WeightsError("the checkpoint was written on a big-endian machine")
    value, storages = unpickle_torch(io.BytesIO(archive.read(pickles[0])))
    missing = [key for key in storages if f"{root}data/{key}" not in names]
    if missing:
        raise WeightsError(f"the checkpoint is damaged: it lacks storages {', '.join(missing)}")
    numbers = {
        key: _numbers(archive.read(f"{root}data/{key}"), storage)
        for key, storage in storages.items()
    }
    return _arrays(value, numbers)


def _names_all(keys: object, storages: Mapping[str, Storage]) -> bool:
    """Whether the list names every storage once."""
    if not isinstance(keys, list) or any(not isinstance(key, str) for key in keys):
        return False
    return sorted(keys) == sorted(storages)


def _read_legacy_storage(stream: io.BytesIO, storage: Storage) -> Array:
    prefix = stream.read(8)
    num_items = struct.unpack("<q", prefix)[0] if len(prefix) == 8 else -1
    if num_items != storage.num_items:
        raise WeightsError(f"the checkpoint is damaged: storage {storage.key!r} has another size")
    return _numbers(stream.read(num_items * storage.kind.item_bytes), storage)


def _numbers(content: bytes, storage: Storage) -> Array:
    """A storage's elements [num_items]; bfloat16 as float32."""
    if len(content) != storage.num_items * storage.kind.item_bytes:
        raise WeightsError(
            f"the checkpoint is damaged: storage {storage.key!r} should hold "
            f"{storage.num_items} numbers in {storage.num_items * storage.kind.item_bytes} "
            f"bytes, but has {len(content)}"
        )
    numbers = np.frombuffer(content, dtype=storage.kind.dtype)
    return bfloat16_to_float32(numbers) if storage.kind.is_bfloat16 else numbers


def _arrays(value: Any, numbers: Mapping[str, Array]) -> dict[str, Array]:
    entries = state_dict_of(value)
    check_entries(entries, _is_tensor)
    return {key: _view(key, tensor, numbers) for key, tensor in entries.items()}


def _is_tensor(entry: object) -> bool:
    return isinstance(entry, TensorView) and type(entry.storage) is Storage


def _view(key: str, tensor: TensorView, numbers: Mapping[str, Array]) -> Array:
    """A read-only window on a storage, after proof that it lies inside."""
    storage = numbers[tensor.storage.key]
    if not _is_inside(tensor, storage.size):
        raise UnsafeCheckpointError(
            f"tensor {key!r} reaches outside its storage of {storage.size} numbers: "
            f"offset {reprlib.repr(tensor.offset)}, shape {reprlib.repr(tensor.shape)}, "
            f"strides {reprlib.repr(tensor.strides)}"
        )
    if 0 in tensor.shape:
        return np.empty(tensor.shape, storage.dtype)
    # The stride of an axis of length 1 is never used, and may be anything.
    steps = [
        stride * storage.itemsize if length > 1 else 0
        for length, stride in zip(tensor.shape, tensor.strides, strict=True)
    ]
    return np.lib.stride_tricks.as_strided(
        storage[tensor.offset :], tensor.shape, steps, writeable=False
    )


def _is_inside(tensor: TensorView, num_items: int) -> bool:
    """Whether the numbers are whole, not negative, and address only the storage.

    A tensor with more elements than its storage repeats some (stride 0); torch.save
    allows it, trained weights never need it, and copied out it could fill the memory.
    """
    shape, strides = tensor.shape, tensor.strides
    if not is_shape(shape) or not isinstance(strides, tuple) or len(shape) != len(strides):
        return False
    if any(type(number) is not int or number < 0 for number in (tensor.offset, *strides)):
        return False
    if 0 in shape:
        return True
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    return bool(last < num_items and math.prod(shape) <= num_items)
