"""What the pickles in PyTorch's checkpoints may say: tensors as views on storages."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.opcodes import COMMON_OPCODES
from hubcls.weights.unpickling import ORDERED_DICT, Dialect, StandIn, unpickle


class StorageKind(NamedTuple):
    """A type of torch storage: its NumPy type, and whether it is bfloat16 in disguise."""

    name: str
    dtype: str
    is_bfloat16: bool = False

    @property
    def item_bytes(self) -> int:
        """Bytes of one element."""
        return np.dtype(self.dtype).itemsize


class Storage(NamedTuple):
    """A run of numbers that lies elsewhere in the file, under `key`."""

    kind: StorageKind
    key: str
    num_items: int


class TensorView(NamedTuple):
    """A tensor as described in the pickle; nothing about it has been checked."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


_STORAGE_KINDS = (
    StorageKind("FloatStorage", "<f4"),
    StorageKind("HalfStorage", "<f2"),
    StorageKind("DoubleStorage", "<f8"),
    StorageKind("BFloat16Storage", "<u2", is_bfloat16=True),
    StorageKind("LongStorage", "<i8"),
    StorageKind("IntStorage", "<i4"),
    StorageKind("ShortStorage", "<i2"),
    StorageKind("CharStorage", "i1"),
    StorageKind("ByteStorage", "u1"),
    StorageKind("BoolStorage", "?"),
)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorView:
    return TensorView(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_DIALECT = Dialect(
    names={
        ("collections", "OrderedDict"): ORDERED_DICT,
        ("torch._utils", "_rebuild_tensor"): StandIn(_tensor),
        ("torch._utils", "_rebuild_tensor_v2"): StandIn(_tensor),
        ("torch._utils", "_rebuild_parameter"): StandIn(_parameter),
        **{("torch", kind.name): kind for kind in _STORAGE_KINDS},
    },
    opcodes=COMMON_OPCODES | {"BINPERSID"},
)


def unpickle_torch(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """The object of the next pickle in `stream`, and the storages that it mentions.

    Args:
        stream: stands at the pickle's first byte; afterwards behind its last.

    Raises:
        UnsafeCheckpointError: the pickle wants more than dictionaries and tensors.
        WeightsError: the bytes are no whole pickle.
    """
    storages: dict[str, Storage] = {}

    def noted(pid: Any) -> Storage:
        storage = _described_storage(pid)
        if storages.setdefault(storage.key, storage) != storage:
            raise WeightsError(f"the checkpoint describes storage {storage.key!r} twice")
        return storage

    return unpickle(stream, _DIALECT, resolve=noted), storages


def _described_storage(pid: Any) -> Storage:
    is_whole = isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage"
    if not is_whole or not isinstance(pid[1], StorageKind):
        raise WeightsError("the checkpoint refers to something that is no tensor storage")
    _, kind, key, _, num_items, *view = pid
    if not isinstance(key, str) or type(num_items) is not int or num_items < 0:
        raise WeightsError("the checkpoint describes a storage of impossible size")
    if view not in ([], [None]):
        raise WeightsError(
            "the checkpoint holds views of storages, as PyTorch before 0.4 wrote them; "
            "save it again with a newer PyTorch"
        )
    return Storage(kind, key, num_items)
