"""PaddlePaddle's `.pdparams`, read without PaddlePaddle: a pickled dictionary of arrays.

The conventions are those of paddle/framework/io.py and io_utils.py, versions 1.6 to 3.3.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.layouts import Array, bfloat16_to_float32
from hubcls.weights.numpy_pickles import NUMPY_NAMES, ArrayRecord, build_arrays
from hubcls.weights.opcodes import COMMON_OPCODES, refusal
from hubcls.weights.shapes import is_shape
from hubcls.weights.state_dicts import check_entries, state_dict_of
from hubcls.weights.unpickling import ORDERED_DICT, Dialect, StandIn, unpickle

# Names of static variables by the keys of the state_dict; no weights.
_NAME_TABLE = "StructuredToParameterName@@"
# Arrays of a gibibyte that protocols 2 and 3 cannot hold in one piece. Paddle spells it so.
_SPLIT_TABLE = "UnpackBigParamInfor@@"


def _tuple(items: Any) -> Any:
    if not isinstance(items, tuple):
        raise refusal("a tuple made of something else")
    return items


_DIALECT = Dialect(
    names={
        **NUMPY_NAMES,
        ("collections", "OrderedDict"): ORDERED_DICT,
        # paddle.save turns a Tensor among other things into the call tuple((name, array)).
        ("__builtin__", "tuple"): StandIn(_tuple),
        ("builtins", "tuple"): StandIn(_tuple),
    },
    opcodes=COMMON_OPCODES | {"BINBYTES8", "BYTEARRAY8"},
    text_encoding="latin1",
)


def read_pdparams(content: bytes) -> dict[str, Array]:
    """The arrays of a `.pdparams` file.

    Raises:
        UnsafeCheckpointError: it wants more than arrays.
        WeightsError: it is damaged.
    """
    stream = io.BytesIO(content)
    entries = state_dict_of(unpickle(stream, _DIALECT))
    if stream.read(1):
        raise WeightsError("the checkpoint is damaged: bytes follow its end")
    if isinstance(entries.get(_NAME_TABLE), dict):
        del entries[_NAME_TABLE]
    splits = entries.pop(_SPLIT_TABLE, {})
    check_entries(entries, _is_tensor)
    records = {key: _record(entry) for key, entry in entries.items()}
    arrays = build_arrays(records, limit_bytes=len(content))
    return _joined(_widened(arrays), splits)


def _is_tensor(entry: object) -> bool:
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):
        entry = entry[1]
    return isinstance(entry, ArrayRecord)


def _record(entry: Any) -> ArrayRecord:
    """The array of a Tensor, which is saved either alone or behind its name."""
    record: ArrayRecord = entry[1] if isinstance(entry, tuple) else entry
    return record


def _widened(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """bfloat16 as float32: PaddlePaddle saves it as uint16, a type that it has not itself."""
    wide = {
        id(array): bfloat16_to_float32(array.ravel()).reshape(array.shape)
        for array in arrays.values()
        if array.dtype == np.uint16
    }
    return {key: wide.get(id(array), array) for key, array in arrays.items()}


def _joined(arrays: Mapping[str, Array], splits: Any) -> dict[str, Array]:
    """The arrays, those put together that were saved in slices."""
    whole = dict(arrays)
    if not isinstance(splits, dict):
        raise WeightsError("the checkpoint is damaged: its table of slices is none")
    slices = {key: _slices(key, split, whole) for key, split in splits.items()}
    parts = [part for found in slices.values() for part in found]
    if len({id(part) for part in parts}) != len(parts):
        raise refusal("one slice in two places")
    for key, found in slices.items():
        if not isinstance(key, str) or key in whole:
            raise WeightsError(f"the checkpoint is damaged: it has {key!r} twice")
        whole[key] = np.concatenate(found).reshape(splits[key]["OriginShape"])
    return whole


def _slices(key: Any, split: Any, arrays: dict[str, Array]) -> list[Array]:
    """Take out of the arrays the slices of one, after proof that they make it up."""
    shape = split.get("OriginShape") if isinstance(split, dict) else None
    names = split.get("slices") if isinstance(split, dict) else None
    if not is_shape(shape) or not isinstance(names, list) or not names:
        raise WeightsError(f"the checkpoint is damaged: it does not tell the slices of {key!r}")
    if any(not isinstance(name, str) or name not in arrays for name in names):
        raise WeightsError(f"the checkpoint is damaged: it lacks slices of {key!r}")
    if len(set(names)) != len(names):
        raise WeightsError(f"the checkpoint is damaged: it names a slice of {key!r} twice")
    found = [arrays.pop(name) for name in names]
    is_fitting = len({(part.ndim, part.dtype) for part in found}) == 1 and found[0].ndim == 1
    if not is_fitting or sum(part.size for part in found) != math.prod(shape):
        raise WeightsError(f"the checkpoint is damaged: the slices of {key!r} do not fit it")
    return found
