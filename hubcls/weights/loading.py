"""From arrays by key into the layers of a Keras network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from hubcls.errors import WeightsError
from hubcls.weights.layouts import Array, Layout, as_is, leaf_of, scaled
from hubcls.weights.matching import Slot, match

_PARALLEL_PREFIX = "module."

LeafRule = Callable[[keras.layers.Layer], list[tuple[str, Layout]]]


def leaves_of(framework: str) -> LeafRule:
    """For each weight of a layer: the end of a framework's key, and the layout.

    Args:
        framework: "torch", "paddle" or "paddle_static".

    Raises:
        WeightsError: (the rule) the framework's way with this kind of layer is not known.
    """

    def rule(layer: keras.layers.Layer) -> list[tuple[str, Layout]]:
        kinds = [kind.__name__ for kind in type(layer).__mro__]
        leaves = []
        for weight in layer.weights:
            leaf = leaf_of(framework, kinds, weight.name)
            if leaf is None:
                raise WeightsError(
                    f"no rule says where {framework} keeps {weight.path} of a {kinds[0]}"
                )
            leaves.append(leaf)
        return leaves

    return rule


def keras_leaves(layer: keras.layers.Layer) -> list[tuple[str, Layout]]:
    """For each weight of a layer: its place, as `read_arrays` names Keras' own files."""
    return [(f"/{place}", as_is) for place in range(len(layer.weights))]


@dataclass(frozen=True)
class Naming:
    """How one framework names the weights of one network.

    Attributes:
        name: for messages, e.g. "timm".
        prefixes: name of the layer → what its keys begin with.
        leaves: how its keys end.
        ignored: patterns of keys that no layer wants.
        factors: name of the layer → what its kernel is multiplied by.
    """

    name: str
    prefixes: Mapping[str, str]
    leaves: LeafRule
    ignored: tuple[str, ...] = ("*.num_batches_tracked",)
    factors: Mapping[str, float] = field(default_factory=dict)


def slots(layers: Sequence[keras.layers.Layer], naming: Naming) -> list[Slot]:
    """Every weight of the layers, with the key that a naming gives it."""
    return [
        Slot(
            variable=weight.path,
            key=naming.prefixes.get(layer.name, f"<{layer.name}>") + leaf,
            shape=tuple(weight.shape),
            layout=_with_factor(layout, weight.name, naming.factors.get(layer.name)),
        )
        for layer in layers
        for weight, (leaf, layout) in zip(layer.weights, naming.leaves(layer), strict=True)
    ]


def _with_factor(layout: Layout, weight: str, factor: float | None) -> Layout:
    return layout if factor is None or weight != "kernel" else scaled(layout, factor)


def closest_naming(
    layers: Sequence[keras.layers.Layer],
    candidates: Sequence[tuple[Naming, Mapping[str, Array]]],
) -> tuple[Naming, Mapping[str, Array]]:
    """The candidate in which most of the layers' weights are found; of equals, the first.

    Args:
        layers: the network's layers.
        candidates: namings, and a file's arrays as each of them wants them.

    Raises:
        WeightsError: none of the weights is in the file, under any naming.
    """
    hits = [
        sum(slot.key in arrays for slot in slots(layers, naming)) for naming, arrays in candidates
    ]
    best = max(range(len(candidates)), key=hits.__getitem__)
    if hits[best] == 0:
        raise WeightsError(
            "the file holds weights of another architecture, or names them otherwise.\n"
            f"  Its first keys: {', '.join(list(candidates[-1][1])[:5])}.\n"
            f"  Known namings: {', '.join(naming.name for naming, _ in candidates)}."
        )
    return candidates[best]


def load_arrays(
    arrays: Mapping[str, Array],
    layers: Sequence[keras.layers.Layer],
    naming: Naming,
    *,
    ignored: Sequence[str] = (),
) -> None:
    """Fill every weight of the layers; on an error none is touched.

    Args:
        arrays: the checkpoint.
        layers: the network's layers; each weight is wanted exactly once.
        naming: how the checkpoint names them.
        ignored: patterns of keys that may be left over, beside the naming's own.

    Raises:
        WeightsError: something is left over on either side, or does not fit.
    """
    values = match(arrays, slots(layers, naming), ignored=(*naming.ignored, *ignored))
    for layer in layers:
        for weight in layer.weights:
            # Here and not in the matcher: a copy of one weight at a time.
            weight.assign(np.ascontiguousarray(values[weight.path], np.float32))


def without_parallel_prefix(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays without the "module." that torch's DataParallel puts before every key."""
    if arrays and all(key.startswith(_PARALLEL_PREFIX) for key in arrays):
        return {key.removeprefix(_PARALLEL_PREFIX): array for key, array in arrays.items()}
    return dict(arrays)
