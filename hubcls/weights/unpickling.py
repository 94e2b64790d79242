"""An unpickler that can build dictionaries of tensor descriptions, and nothing else.

A pickle is a program. Two gates stand before it: every instruction is checked before
the first one runs, and a name is looked up in a table of our own stand-ins, never
imported. The stand-ins have no attributes that a pickle could set.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.opcodes import check_global, check_opcodes


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


STORAGE_KINDS: Mapping[str, StorageKind] = {
    kind.name: kind
    for kind in (
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
}


class _Entries(dict[Any, Any]):
    """Stands for OrderedDict; ignores the `_metadata` that torch hangs on it."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        return None


class _MakeEntries:
    __slots__ = ()

    def __call__(self, *items: Any) -> _Entries:
        return _Entries(*items)


class _MakeTensor:
    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> TensorView:
        return TensorView(storage, offset, shape, strides)


class _MakeParameter:
    __slots__ = ()

    def __call__(self, tensor: Any, *_: Any) -> Any:
        return tensor


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _MakeEntries(),
    ("torch._utils", "_rebuild_tensor"): _MakeTensor(),
    ("torch._utils", "_rebuild_tensor_v2"): _MakeTensor(),
    ("torch._utils", "_rebuild_parameter"): _MakeParameter(),
    **{("torch", name): kind for name, kind in STORAGE_KINDS.items()},
}


class _Unpickler(pickle.Unpickler):
    """Resolves names from `_ALLOWED` and notes the storages that the pickle mentions."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The stand-in for an allowed name."""
        check_global(module_name, global_name, _ALLOWED)
        return _ALLOWED[module_name, global_name]

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that a persistent id describes."""
        storage = _described_storage(pid)
        if self.storages.setdefault(storage.key, storage) != storage:
            raise WeightsError(f"the checkpoint describes storage {storage.key!r} twice")
        return storage


def unpickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """The object of the next pickle in `stream`, and the storages that it mentions.

    Args:
        stream: stands at the pickle's first byte; afterwards behind its last.

    Raises:
        UnsafeCheckpointError: the pickle wants more than dictionaries and tensors.
        WeightsError: the bytes are no whole pickle.
    """
    start = stream.tell()
    check_opcodes(stream, _ALLOWED)
    stream.seek(start)
    unpickler = _Unpickler(stream)
    try:
        value = unpickler.load()
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:
        raise WeightsError(f"the checkpoint is damaged: {error}") from None
    return value, unpickler.storages


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
