"""Networks of other libraries, laid open into the graph of ours."""

from __future__ import annotations

from typing import Any

import keras

from hubcls.modules.groups import LayerGroup

# What constructors raise at arguments they do not know, `get_config` at missing ones, and
# Keras at a Lambda.
_BROKEN_CONFIG = (TypeError, ValueError, AttributeError, KeyError)


def laid_open(network: keras.Model, tensor: Any) -> Any:
    """The output of a functional network on a tensor, layer by layer.

    Its layers become layers of the model that is built around, so that each can be
    frozen and found by name. Where one of them cannot be rebuilt from its own
    configuration under its own name, as KerasHub's transformer blocks cannot, the network
    stays one layer, which can.
    """
    if all(_can_be_rebuilt(layer) for layer in network.layers):
        return network.call(tensor)
    return network(tensor)


def _can_be_rebuilt(layer: keras.layers.Layer) -> bool:
    try:
        config = keras.saving.serialize_keras_object(layer)
        config.pop("build_config", None)  # its weights are not needed to see that it can be had
        twin = keras.saving.deserialize_keras_object(config)
    except _BROKEN_CONFIG:
        return False
    return bool(twin.name == layer.name)


def one_group(backbone: keras.Model) -> tuple[LayerGroup, ...] | None:
    """All weights as one group where one layer holds them; None leaves it to the general rule."""
    weighted = [layer.name for layer in backbone.layers if layer.weights]
    return (LayerGroup("network", tuple(weighted), weighted[0]),) if len(weighted) == 1 else None
