"""Shapes as files claim them: are they such as an array can have?"""

from __future__ import annotations

import math
from typing import TypeGuard

_MAX_AXES = 8
_MAX_ITEMS = 2**48


def is_shape(value: object) -> TypeGuard[tuple[int, ...]]:
    """Whether the value is a tuple of a few whole numbers, and NumPy can count their product.

    An axis of length 0 does not excuse long ones beside it: NumPy refuses those as well.
    """
    if not isinstance(value, tuple) or len(value) > _MAX_AXES:
        return False
    if any(type(length) is not int or length < 0 for length in value):
        return False
    num_items: int = math.prod(length for length in value if length)
    return num_items <= _MAX_ITEMS
