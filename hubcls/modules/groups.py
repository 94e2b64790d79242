"""Ordered groups of layers, stem to last stage, for freezing and layer-wise rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

_FEWEST_GROUPS = 3
_GLOBAL_POOLS = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
)


@dataclass(frozen=True)
class LayerGroup:
    """Layers that are opened and closed together.

    Attributes:
        name: "stem", "stage_1" ….
        layers: names of the layers with weights, in graph order.
        output: name of the operation whose output is the stage's.
    """

    name: str
    layers: tuple[str, ...]
    output: str


def groups_by_output(model: keras.Model, outputs: Sequence[Any]) -> tuple[LayerGroup, ...]:
    """The layers that carry weights, by the first of these tensors that needs them.

    Args:
        model: functional.
        outputs: tensors in it, stem to last stage; the last is the model's own output.

    Returns:
        Groups "stem", "stage_1" …, each layer with weights in exactly one.
    """
    groups: list[tuple[tuple[str, ...], str]] = []
    taken: set[str] = set()
    for output in outputs:
        needed = {op.name for op in keras.Function(model.inputs, output).operations}
        layers = [one.name for one in model.layers if one.weights and one.name in needed - taken]
        taken |= needed
        groups.append((tuple(layers), output._keras_history.operation.name))
    return tuple(
        LayerGroup(f"stage_{place}" if place else "stem", layers, output)
        for place, (layers, output) in enumerate(groups)
    )


def groups_by_stride(model: keras.Model) -> tuple[LayerGroup, ...]:
    """The layers that carry weights, by how much smaller than the input their output is.

    A layer's stage is round(log2(input height / output height)), so a ResNet gives its
    stem and its four stages. Layers behind a global pooling or on token sequences have no
    height; they belong to the stage that they read from, as squeeze-and-excitation does.
    Where this gives fewer than three groups, the largest is cut in halves of about the
    same number of parameters, in graph order.

    Args:
        model: functional, with one image as its input.

    Returns:
        Groups "stem", "stage_1" …, each layer with weights in exactly one.
    """
    stages = _stages(model)
    weighted = [layer for layer in model.layers if layer.weights]
    members = [
        [layer for layer in weighted if stages[layer.name] == stage]
        for stage in sorted({stages[layer.name] for layer in weighted})
    ]
    groups = _split(_with_trainable_stem(members))
    ends = [stages[group[-1].name] for group in groups]
    return tuple(
        LayerGroup(
            f"stage_{place}" if place else "stem",
            tuple(layer.name for layer in group),
            # A stage that was cut ends where its layers do.
            _last(stages, end) if end not in ends[place + 1 :] else group[-1].name,
        )
        for place, (group, end) in enumerate(zip(groups, ends, strict=True))
    )


@dataclass(frozen=True)
class _Place:
    """Where a tensor stands: its stage, and whether it has lost its height and width."""

    stage: int
    is_collapsed: bool


def _stages(model: keras.Model) -> dict[str, int]:
    places: dict[int, _Place] = {}
    stages: dict[str, int] = {}
    height = model.inputs[0].shape[1]
    for operation in model.operations:
        sources = [places[id(tensor)] for tensor in _tensors(operation, "input", places)]
        outputs = keras.tree.flatten(operation.output)
        place = _place(operation, outputs[0], sources, height)
        places.update({id(tensor): place for tensor in outputs})
        stages[operation.name] = place.stage
    return stages


def _tensors(operation: Any, attribute: str, known: Mapping[int, _Place]) -> list[Any]:
    if isinstance(operation, keras.layers.InputLayer):
        return []
    return [
        tensor
        for tensor in keras.tree.flatten(getattr(operation, attribute))
        if id(tensor) in known
    ]


def _place(operation: Any, output: Any, sources: Sequence[_Place], height: int | None) -> _Place:
    inherited = max((source.stage for source in sources), default=0)
    shape = output.shape
    has_height = len(shape) == 4 and height and shape[1]
    if not has_height or isinstance(operation, _GLOBAL_POOLS):
        return _Place(inherited, is_collapsed=True)
    if sources and all(source.is_collapsed for source in sources) and shape[1] == shape[2] == 1:
        return _Place(inherited, is_collapsed=True)
    return _Place(max(round(math.log2(height / shape[1])), 0), is_collapsed=False)


def _with_trainable_stem(members: list[list[Any]]) -> list[list[Any]]:
    """Join a normalisation that merely stands before the stem with the stem."""
    while len(members) > 1 and not any(layer.trainable_weights for layer in members[0]):
        members = [members[0] + members[1], *members[2:]]
    return members


def _split(members: list[list[Any]]) -> list[list[Any]]:
    while 0 < len(members) < _FEWEST_GROUPS and any(len(group) > 1 for group in members):
        largest = max(
            (place for place, group in enumerate(members) if len(group) > 1),
            key=lambda place: _count(members[place]),
        )
        members[largest : largest + 1] = _halves(members[largest])
    return members


def _halves(group: list[Any]) -> list[list[Any]]:
    sums = np.cumsum([layer.count_params() for layer in group])
    place = int(np.searchsorted(sums, sums[-1] / 2)) + 1
    place = min(place, len(group) - 1)
    return [group[:place], group[place:]]


def _count(group: Sequence[Any]) -> int:
    return sum(layer.count_params() for layer in group)


def _last(stages: Mapping[str, int], stage: int) -> str:
    """The operation that a stage ends with."""
    return [name for name, own in stages.items() if own == stage][-1]
