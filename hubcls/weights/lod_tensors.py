"""A file for one variable, as PaddlePaddle's static graphs save it.

The layout is that of SerializeToStream in paddle/fluid/framework/lod_tensor.cc:
version, lengths of sequences, version, a protobuf message with type and shape, numbers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.layouts import Array, bfloat16_to_float32
from hubcls.weights.shapes import is_shape

# VarType.Type in paddle/fluid/framework/framework.proto.
_BFLOAT16 = 22
_NUMBER_TYPES: Mapping[int, str] = {
    0: "?", 1: "<i2", 2: "<i4", 3: "<i8", 4: "<f2", 5: "<f4", 6: "<f8", 20: "u1", 21: "i1",
    _BFLOAT16: "<u2",
}  # fmt: skip
# Weights have no sequences, and few axes.
_MOST_LEVELS = 8
_MOST_MESSAGE_BYTES = 256
# Field numbers of TensorDesc, each with the wire type for a varint.
_TYPE_TAG = 1 << 3
_LENGTH_TAG = 2 << 3


class _Description(NamedTuple):
    """What stands before the numbers, and where these begin."""

    number_type: int
    shape: tuple[int, ...]
    start: int


def read_lod_tensor(content: bytes | memoryview) -> Array:
    """The array in one variable's file; bfloat16 as float32.

    Raises:
        WeightsError: the file is damaged or of another format.
    """
    try:
        description = _describe(content)
    except (struct.error, IndexError, OverflowError):
        raise WeightsError("it ends within its description") from None
    if description.number_type not in _NUMBER_TYPES:
        raise WeightsError(f"its numbers are of type {description.number_type}")
    dtype = np.dtype(_NUMBER_TYPES[description.number_type])
    # A copy, for the archive is dropped soon, and numbers in it lie at odd addresses.
    numbers = bytes(content[description.start :])
    if not is_shape(description.shape):
        raise WeightsError(f"its shape {description.shape[:10]} is impossible")
    if len(numbers) != math.prod(description.shape) * dtype.itemsize:
        raise WeightsError(f"it has {len(numbers)} bytes for shape {description.shape}")
    array: Array = np.frombuffer(numbers, dtype=dtype)
    if description.number_type == _BFLOAT16:
        array = bfloat16_to_float32(array)
    return array.reshape(description.shape)


def _describe(content: bytes | memoryview) -> _Description:
    version, num_levels = struct.unpack_from("<IQ", content)
    if version != 0 or num_levels > _MOST_LEVELS:
        raise WeightsError("it is no variable of PaddlePaddle")
    position = 12
    for _ in range(num_levels):
        (level_bytes,) = struct.unpack_from("<Q", content, position)
        position += 8 + level_bytes
    version, message_bytes = struct.unpack_from("<Ii", content, position)
    if version != 0 or not 0 <= message_bytes <= _MOST_MESSAGE_BYTES:
        raise WeightsError("it is no variable of PaddlePaddle")
    start = position + 8 + message_bytes
    return _read_message(bytes(content[position + 8 : start]), start)


def _read_message(message: bytes, start: int) -> _Description:
    number_type, shape = -1, []
    varints = _varints(message)
    for tag in varints:
        value = next(varints, -1)
        if tag == _TYPE_TAG:
            number_type = value
        elif tag == _LENGTH_TAG:
            shape.append(value)
        else:
            raise WeightsError("it is no variable of PaddlePaddle")
    return _Description(number_type, tuple(shape), start)


def _varints(message: bytes) -> Iterator[int]:
    """Protobuf's numbers: seven bits a byte, lowest first, the last one without the top bit."""
    position = 0
    while position < len(message):
        number = shift = 0
        while message[position] & 0x80:
            number |= (message[position] & 0x7F) << shift
            position, shift = position + 1, shift + 7
        yield number | message[position] << shift
        position += 1
