"""Where a network can be cut in two, and what makes its lower part that part."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hubcls.inference.choosing import Inference

# What decides how a layer trains or begins, but not what it computes in inference.
_SILENT_KEYS = frozenset({"name", "trainable", "seed"})
_MAKERS = frozenset({"keras", "keras_hub", "keras_cv"})
_FUNCTIONS = frozenset({"function", "__lambda__"})
_SILENT_ENDINGS = ("_initializer", "_regularizer", "_constraint")

_UPPERS: weakref.WeakKeyDictionary[keras.Model, dict[str, keras.Model]] = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True, eq=False)
class Trunk:
    """The part of a network from its images to one tensor, in inference mode.

    Attributes:
        whole: the network; functional, with one input and one output.
        top: name of the layer that the part ends with; nothing but its output goes on.
        key: a hash of all that decides the tensor's value for an image: layers, their
            wiring and settings, dtype policies and weights. Names do not count.
    """

    whole: keras.Model
    top: str
    key: str

    @functools.cached_property
    def model(self) -> keras.Model:
        """Images [B, H, W, 3] to the tensor [B, …]."""
        return keras.Model(self.whole.input, _operation(self.whole, self.top).output)

    @functools.cached_property
    def inference(self) -> Inference:
        """What computes it for all splits, so that a graph compiled for one serves the next."""
        return Inference(self.model)

    @property
    def upper(self) -> keras.Model:
        """The rest of the network: the tensor to the outputs, by the same layers."""
        # Keras notes every use of a layer in the layer, so one model a cut must do.
        made = _UPPERS.setdefault(self.whole, {})
        if self.top not in made:
            tensor = _operation(self.whole, self.top).output
            made[self.top] = keras.Model(tensor, self.whole.outputs[0], name=self.whole.name)
        return made[self.top]


def trunks(model: keras.Model) -> list[Trunk]:
    """Every part of a network that a cut through one tensor leaves, image first.

    Where the network is not functional, or uses a layer more than once, there are none; nor
    above a layer of somebody's own, whose code a key cannot know.
    """
    if not hasattr(model, "operations"):
        return []
    layers = _described_layers(model)
    if any(len(layer["inbound_nodes"]) > 1 for layer in layers.values()):
        return []
    keys = _keys(model, layers)
    known = set(itertools.takewhile(lambda name: _is_known(layers[name]), layers))
    return [Trunk(model, name, keys[name]) for name in _bottlenecks(layers) if name in known]


def trunk_at(model: keras.Model, tensor: keras.KerasTensor) -> Trunk | None:
    """The part of `model` that computes `tensor`; None if more than that goes on from there."""
    top = tensor._keras_history.operation.name
    return next((trunk for trunk in trunks(model) if trunk.top == top), None)


def frozen_trunk(model: keras.Model) -> Trunk | None:
    """The highest cut below which nothing trains; None where even the first layer does.

    Layers that draw (dropout, stochastic depth) are passed where frozen weights stand above
    them: they are the body's, which then computes as in inference. A dropout before the
    first layer that trains is the head's, and stays above the cut.
    """
    highest, draws, has_weights = None, False, False
    cuts = {trunk.top: trunk for trunk in trunks(model)}
    for operation in model.operations:
        weights = getattr(operation, "weights", [])
        if weights and operation.trainable:
            break
        if weights:
            draws, has_weights = False, True
        # Seed generators are variables, but no weights.
        draws = draws or len(getattr(operation, "variables", [])) > len(weights)
        if operation.name in cuts and has_weights and not draws:
            highest = cuts[operation.name]
    return highest


def _operation(model: keras.Model, name: str) -> Any:
    """A layer or a bare operation, which `get_layer` would not find."""
    return next(operation for operation in model.operations if operation.name == name)


def _is_known(node: Any) -> bool:
    """Whether Keras, its sister packages or hubcls made a serialised layer and all in it.

    Keras' own functions are bare names; others are told by a name alone, whatever they do.
    """
    if isinstance(node, list | tuple):
        return all(map(_is_known, node))
    if not isinstance(node, Mapping):
        return True
    if node.get("class_name") in _FUNCTIONS:
        return False
    if "module" in node and "registered_name" in node:
        package, name = str(node["module"]).split(".")[0], str(node["registered_name"])
        if package not in _MAKERS and not name.startswith("hubcls>"):
            return False
    return all(map(_is_known, node.values()))


def _described_layers(model: keras.Model) -> dict[str, Mapping[str, Any]]:
    """Each operation's serialised form by name, in an order in which they can be computed."""
    return {layer["name"]: layer for layer in model.get_config()["layers"]}


def _bottlenecks(layers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The layers behind which all that comes later hangs on their output alone."""
    readers: dict[str, int] = dict.fromkeys(layers, 0)
    for layer in layers.values():
        for name in _sources(layer):
            readers[name] += 1
    found, waiting = [], set()
    for name, layer in layers.items():
        for source in _sources(layer):
            readers[source] -= 1
            if readers[source] == 0:
                waiting.discard(source)
        if readers[name]:
            waiting.add(name)
        if waiting == {name} and layer["inbound_nodes"]:
            found.append(name)
    return found


def _keys(model: keras.Model, layers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """For each layer a hash of it and of everything below it (Merkle's tree)."""
    keys: dict[str, str] = {}
    operations = {operation.name: operation for operation in model.operations}

    def stated(tensor: Mapping[str, Any]) -> list[Any]:
        name, *place = tensor["config"]["keras_history"]
        return [keys[name], *place]

    for name, layer in layers.items():
        settings = {key: value for key, value in layer["config"].items() if _is_telling(key)}
        calls = _replaced(layer["inbound_nodes"], stated)
        facts = [layer["module"], layer["class_name"], layer["registered_name"], settings, calls]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        for weight in getattr(operations[name], "weights", []):
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
        keys[name] = digest.hexdigest()
    return keys


def _is_telling(key: str) -> bool:
    return key not in _SILENT_KEYS and not key.endswith(_SILENT_ENDINGS)


def _sources(layer: Mapping[str, Any]) -> list[str]:
    """Names of the layers whose outputs a layer reads, one for each time."""
    names: list[str] = []
    _replaced(
        layer["inbound_nodes"], lambda tensor: names.append(tensor["config"]["keras_history"][0])
    )
    return names


def _replaced(node: Any, replace: Callable[[Mapping[str, Any]], Any]) -> Any:
    """A serialised call with each of its tensors replaced."""
    if isinstance(node, Mapping):
        if node.get("class_name") == "__keras_tensor__":
            return replace(node)
        return {key: _replaced(value, replace) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_replaced(item, replace) for item in node]
    return node
