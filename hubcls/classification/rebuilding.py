"""A functional model built anew, under another dtype policy or distribution scope."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import keras

from hubcls.errors import ConfigError, WeightsError

DTYPE_POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")

# Normalising 0–255 pixels in 8 bits of mantissa would blur them before the network sees them.
_ALWAYS_FLOAT32 = frozenset({"hubcls>InputNormalization"})


def rebuilt(
    model: keras.Model, dtype_policy: str, *, float32_layers: Collection[str] | None = None
) -> keras.Model:
    """A copy of a functional model whose layers compute under another dtype policy.

    The graph, the layers' names and every variable are the same, the seeds of dropout
    included; variables are float32 under each of the policies. The copy is not compiled
    and not bound to the original. Inside `strategy.scope()` its variables belong to the
    strategy.

    Args:
        model: functional; it may hold nested models.
        dtype_policy: "float32", "mixed_bfloat16" or "mixed_float16".
        float32_layers: names of layers that stay in float32 under a mixed policy; None
            means those that give the model's outputs, so that logits keep their digits.

    Raises:
        ConfigError: the policy is none of ours, or the model is not functional.
        WeightsError: a layer of the copy has other variables than the original's.
    """
    if dtype_policy not in DTYPE_POLICIES:
        raise ConfigError(
            f"the dtype policy must be one of {', '.join(DTYPE_POLICIES)}, not {dtype_policy!r}"
        )
    if not hasattr(model, "operations"):
        raise ConfigError(
            f"the model {model.name!r} ({type(model).__name__}) is not functional, so it cannot "
            "be built anew; build it as keras.Model(inputs, outputs)"
        )
    config = model.get_config()
    kept = _output_names(config) if float32_layers is None else set(float32_layers)
    for layer in config["layers"]:
        _set_policy(layer, "float32" if layer["name"] in kept else dtype_policy)
    copy = keras.Model.from_config(config)
    copy_variables(model, copy)
    return copy


def as_float32(model: keras.Model) -> keras.Model:
    """A copy of a functional model in which every layer computes in float32."""
    return rebuilt(model, "float32")


def is_float32(model: keras.Model) -> bool:
    """Whether every layer of the model, nested ones too, computes in float32."""
    return compute_dtypes(model) <= {"float32"}


def compute_dtypes(model: keras.Model) -> set[str]:
    """The types in which the layers of the model, nested ones too, compute, e.g. "bfloat16"."""
    return {layer.compute_dtype for layer in _leaves(model)}


def copy_variables(source: keras.Model, target: keras.Model) -> None:
    """Give each layer of `target` the variables of the layer of the same name.

    Raises:
        WeightsError: the models differ in layers or shapes; lists every difference.
    """
    twins = {layer.name: layer for layer in target.layers}
    missing = [layer.name for layer in source.layers if layer.name not in twins]
    pairs = [(layer, twins[layer.name]) for layer in source.layers if layer.name in twins]
    problems = [f"{name} is missing" for name in missing]
    problems += [
        f"{layer.name} has {_shapes(twin)}, not {_shapes(layer)}"
        for layer, twin in pairs
        if _shapes(layer) != _shapes(twin)
    ]
    if problems:
        raise WeightsError(
            f"the weights of {source.name!r} do not fit {target.name!r}:\n  "
            + "\n  ".join(problems[:20])
        )
    for layer, twin in pairs:
        for value, variable in zip(layer.variables, twin.variables, strict=True):
            variable.assign(keras.ops.convert_to_numpy(value))


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def _set_policy(node: Any, policy: str) -> None:
    """Replace each floating dtype policy in a serialised layer and in what it nests."""
    if isinstance(node, (list, tuple)):
        for item in node:
            _set_policy(item, policy)
    if not isinstance(node, dict):
        return
    if node.get("registered_name") in _ALWAYS_FLOAT32:
        policy = "float32"
    for key, value in node.items():
        if key == "dtype" and _is_floating_policy(value):
            value["config"] = {"name": policy}
        else:
            _set_policy(value, policy)


def _is_floating_policy(value: Any) -> bool:
    # Layers serialise their policy as an object; inputs and casts name a bare dtype.
    if not isinstance(value, dict) or value.get("class_name") != "DTypePolicy":
        return False
    return "float" in value["config"]["name"]


def _output_names(config: dict[str, Any]) -> set[str]:
    """The layers that give a functional model's outputs: [name, node, tensor], nested."""
    names: set[str] = set()
    pending: list[Any] = [config["output_layers"]]
    while pending:
        outputs = pending.pop()
        if isinstance(outputs, dict):
            pending.extend(outputs.values())
        elif outputs and isinstance(outputs[0], str):
            names.add(outputs[0])
        else:
            pending.extend(outputs)
    return names


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in layer.variables]
