"""The strict matcher: every key is used or named as ignored, every variable is filled once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.layouts import Array, Layout, as_is

_MAX_LISTED = 30


@dataclass(frozen=True)
class Slot:
    """One variable of a network and the key that fills it.

    Attributes:
        variable: the variable's path, e.g. "stem_conv/kernel".
        key: the checkpoint's key, e.g. "conv_stem.weight".
        shape: what the variable wants.
        layout: turns the checkpoint's array into the variable's.
    """

    variable: str
    key: str
    shape: tuple[int, ...]
    layout: Layout = as_is


def match(
    arrays: Mapping[str, Array], slots: Sequence[Slot], *, ignored: Sequence[str] = ()
) -> dict[str, Array]:
    """The value of every variable in its layout: a view of the checkpoint's array where it can be.

    Args:
        arrays: the checkpoint.
        slots: every variable of the network, once.
        ignored: patterns of keys that may be left over, e.g. "*.num_batches_tracked".

    Raises:
        WeightsError: a variable gets nothing or stands twice, a key is left over, or a
            shape or type differs; the message lists all of them.
    """
    values: dict[str, Array] = {}
    misfits = []
    for slot in slots:
        if slot.key not in arrays:
            continue
        value, reason = _fitted(arrays[slot.key], slot)
        if reason:
            misfits.append(f"{slot.variable} wants {slot.shape}, but {slot.key!r} {reason}")
        values[slot.variable] = value
    complaints = {
        "get nothing": [f"{s.variable} ({s.key!r})" for s in slots if s.key not in arrays],
        "stand twice": [name for name, n in Counter(s.variable for s in slots).items() if n > 1],
        "are in the file, but belong to no variable": _left_over(arrays, slots, ignored),
        "do not fit": misfits,
    }
    if any(complaints.values()):
        raise WeightsError(_message(complaints))
    return values


def _fitted(array: Array, slot: Slot) -> tuple[Array, str]:
    """The array as the slot wants it, and why it does not fit (empty when it does)."""
    if not np.issubdtype(array.dtype, np.floating):
        return array, f"holds {array.dtype} values"
    try:
        value = slot.layout(array, slot.shape)
    except ValueError:  # a layout for four axes meets an array of two
        return array, f"has shape {array.shape}"
    if value.shape != slot.shape:
        return array, f"has shape {array.shape}, in Keras' layout {value.shape}"
    return value, ""


def _left_over(
    arrays: Mapping[str, Array], slots: Sequence[Slot], ignored: Sequence[str]
) -> list[str]:
    used = {slot.key for slot in slots}
    return [
        key
        for key in arrays
        if key not in used and not any(fnmatchcase(key, pattern) for pattern in ignored)
    ]


def _message(complaints: Mapping[str, Sequence[str]]) -> str:
    lines = ["the weights do not fit the network:"]
    for what, names in complaints.items():
        if not names:
            continue
        lines.append(f"  {len(names)} {what}:")
        lines.extend(f"    {name}" for name in names[:_MAX_LISTED])
        if len(names) > _MAX_LISTED:
            lines.append(f"    … and {len(names) - _MAX_LISTED} more")
    lines.append("  Give a file of this very architecture and size.")
    return "\n".join(lines)
