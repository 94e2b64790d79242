"""Networks of other libraries, laid open into the graph of ours."""

from __future__ import annotations

from typing import Any

import keras

# What constructors raise at arguments they do not know, and `get_config` at missing ones.
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
    if type(layer).__module__.split(".")[0] == "keras":
        return True
    try:
        twin = type(layer).from_config(layer.get_config())
    except _BROKEN_CONFIG:
        return False
    return bool(twin.name == layer.name)
