"""Layer names that are the same in every process and on every call."""

from __future__ import annotations

import re
from collections import Counter

import keras


def fix_automatic_names(model: keras.Model) -> None:
    """Number the layers that Keras has named by class and counter anew, in graph order.

    Keras counts through the whole process: the second network's first convolution is
    `conv2d_94`. Checkpoints, layer groups and rebuilt models find layers by name, so a
    name may depend on the network alone.

    Args:
        model: a functional model; renamed in place, its given names stay.
    """
    taken = {op.name for op in model.operations if not _is_automatic(op)}
    counts: Counter[str] = Counter()
    for operation in model.operations:
        if not _is_automatic(operation):
            continue
        stem = _snake_case(type(operation).__name__)
        name = _numbered(stem, counts[stem])
        while name in taken:
            counts[stem] += 1
            name = _numbered(stem, counts[stem])
        counts[stem] += 1
        operation.name = name


def _is_automatic(operation: keras.Operation) -> bool:
    stem = _snake_case(type(operation).__name__)
    return re.fullmatch(rf"{re.escape(stem)}(_\d+)?", operation.name) is not None


def _numbered(stem: str, number: int) -> str:
    return stem if number == 0 else f"{stem}_{number}"


def _snake_case(class_name: str) -> str:
    """Keras' own rule: GlobalAveragePooling2D → global_average_pooling2d."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
