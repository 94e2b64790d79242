"""NumPy's arrays in pickles: noted by stand-ins, checked, and only then built."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.layouts import Array
from hubcls.weights.opcodes import refusal
from hubcls.weights.shapes import is_shape
from hubcls.weights.unpickling import StandIn

_NUMBER_TYPES = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
# What follows the byte order of a type without fields, subtypes and flags.
_PLAIN = (None, None, None, -1, -1, 0)


class _Unfinished:
    """What NumPy makes by a call and completes with a state; nothing has been checked."""

    __slots__ = ("state",)

    def __init__(self, state: Any = None) -> None:
        self.state = state

    def __setstate__(self, state: Any) -> None:
        """Note the state; honest writers give it once."""
        if self.state is not None:
            raise refusal("a second state of one array")
        self.state = state


class ArrayRecord(_Unfinished):
    """An array as described: version, shape, type, whether in Fortran order, bytes."""

    __slots__ = ()


class _TypeRecord(_Unfinished):
    __slots__ = ("code",)

    def __init__(self, code: Any, *_: Any) -> None:
        super().__init__()
        self.code = code


class _Latin1(NamedTuple):
    """Bytes as Python 3 writes them in protocol 2; not yet encoded, for that takes memory."""

    text: str


class _Description(NamedTuple):
    """An array of which all is known to fit."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    data: bytes | bytearray | str


_NDARRAY = object()


def _reconstruct(kind: Any, *_: Any) -> ArrayRecord:
    if kind is not _NDARRAY:
        raise refusal("an array of another class")
    return ArrayRecord()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> ArrayRecord:
    return ArrayRecord((1, shape, dtype, order == "F", data))


def _scalar(dtype: Any, data: Any) -> ArrayRecord:
    return ArrayRecord((1, (), dtype, False, data))


def _encode(text: Any, encoding: Any) -> _Latin1:
    if not isinstance(text, str) or encoding != "latin1":
        raise refusal("text in another encoding")
    return _Latin1(text)


def _no_bytes() -> bytes:
    return b""


NUMPY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): StandIn(_TypeRecord),
    ("_codecs", "encode"): StandIn(_encode),
    ("__builtin__", "bytes"): StandIn(_no_bytes),
    # NumPy 1 says core, NumPy 2 says _core.
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", StandIn(_reconstruct)),
            ("multiarray", "scalar", StandIn(_scalar)),
            ("numeric", "_frombuffer", StandIn(_from_buffer)),
        )
    },
}
"""Names in pickles of arrays, protocols 2 to 5, and what stands for each."""


def build_arrays(records: Mapping[str, ArrayRecord], *, limit_bytes: int) -> dict[str, Array]:
    """The arrays that the records describe; one record under two keys gives one array.

    Args:
        records: as unpickled.
        limit_bytes: what all together may have; an honest file holds each of them.

    Raises:
        UnsafeCheckpointError: they are arrays of objects, or claim more than the limit.
        WeightsError: a description is not whole, or does not fit its bytes.
    """
    checked = {id(record): _checked(key, record) for key, record in records.items()}
    if sum(len(description.data) for description in checked.values()) > limit_bytes:
        raise refusal("more numbers than the file holds")
    try:
        built = {identity: _built(description) for identity, description in checked.items()}
    except ValueError as error:
        raise WeightsError(f"the checkpoint is damaged: {error}") from None
    return {key: built[id(record)] for key, record in records.items()}


def _checked(key: str, record: ArrayRecord) -> _Description:
    state = record.state
    if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
        raise WeightsError(f"the checkpoint is damaged: array {key!r} is not whole")
    _, shape, type_record, is_fortran, data = state
    dtype = _checked_type(key, type_record)
    if isinstance(data, _Latin1):
        data = data.text
    if not is_shape(shape) or not isinstance(data, bytes | bytearray | str):
        raise WeightsError(f"array {key!r} has the impossible shape {reprlib.repr(shape)}")
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise WeightsError(
            f"the checkpoint is damaged: array {key!r} of shape {shape} should have "
            f"{wanted} bytes, but has {len(data)}"
        )
    return _Description(dtype, shape, bool(is_fortran), data)


def _checked_type(key: str, record: object) -> np.dtype[Any]:
    if not isinstance(record, _TypeRecord) or not isinstance(record.code, str):
        raise WeightsError(f"the checkpoint is damaged: array {key!r} has no type")
    if record.code not in _NUMBER_TYPES:
        raise refusal(f"an array of type {record.code[:20]!r}")
    state = record.state
    if not isinstance(state, tuple) or state[:1] != (3,) or state[2:] != _PLAIN:
        raise refusal("an array of an unusual type")
    if state[1] not in ("<", "|"):
        raise WeightsError("the checkpoint was written on a big-endian machine")
    dtype: np.dtype[Any] = np.dtype(state[1] + record.code)
    return dtype


def _built(description: _Description) -> Array:
    data = description.data
    content = data.encode("latin-1") if isinstance(data, str) else data
    numbers: Array = np.frombuffer(content, dtype=description.dtype)
    return numbers.reshape(description.shape, order="F" if description.is_fortran else "C")
