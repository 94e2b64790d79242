"""Blocks of layers by depth, which of them train in an epoch, and at what share of the rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import keras

from hubcls.errors import ConfigError
from hubcls.strategies.base import PlanRequest

BatchNormRule = Literal["auto", "frozen", "train"]
Blocks = dict[int, int]
"""`id(layer)` → block; the block with the greatest number lies next to the head."""


def blocks_by_depth(request: PlanRequest, blocks: int) -> Blocks:
    """Cut the body's layers with weights into `blocks` runs of equal length.

    Layer i of n, counted from the image, lies in block i · blocks // n. The head is in
    none: it always trains, at the full rate. A body that holds no weights, or does not
    train at all, has no blocks.

    Raises:
        ConfigError: the body has fewer layers with weights than blocks.
    """
    layers = weight_layers(request)
    if not layers:
        return {}
    if not 1 <= blocks <= len(layers):
        raise ConfigError(
            f"blocks must lie between 1 and the {len(layers)} layers with weights below the head, "
            f"not {blocks}.\n"
            "  Take fewer, or none: ULMFiTStrategy(dis_blocks=0, frz_blocks=0); in "
            'CombinedStrategy, "blocks": 0 under "discriminative" and "gradual_unfreeze".'
        )
    return {id(layer): index * blocks // len(layers) for index, layer in enumerate(layers)}


def blocks_by_name(request: PlanRequest, params_layer: Mapping[str, int]) -> Blocks:
    """Blocks as the user numbers them, 0 next to the image.

    Args:
        request: holds the groups.
        params_layer: name of a layer, or of a group for all of its layers, → block. A
            layer's own number goes before its group's.

    Raises:
        ConfigError: a name is no layer's or group's, a number is not a whole one from 0
            up, or a layer with weights is left out; lists all of these.
    """
    blocks: Blocks = {}
    unused, missing = set(params_layer), []
    for group in request.body:
        unused.discard(group.name)
        for layer in group.layers:
            unused.discard(layer.name)
            block = params_layer.get(layer.name, params_layer.get(group.name))
            if block is not None:
                blocks[id(layer)] = block
            elif layer.weights:
                missing.append(layer.name)
    _check_names(unused, missing, params_layer)
    return blocks


def rate_multipliers(blocks: Blocks, factor: float) -> dict[int, float]:
    """`id(layer)` → (1 / factor)^k, where k counts the blocks from the top down.

    Discriminative fine-tuning, Howard & Ruder 2018, arXiv:1801.06146, section 3.2.
    """
    top = max(blocks.values(), default=0)
    return {layer: (1.0 / factor) ** (top - block) for layer, block in blocks.items()}


def rates_by_group(request: PlanRequest, layer_decay: float) -> dict[int, float]:
    """`id(layer)` → layer_decay^k for the group k below the head, which has rate 1."""
    return {
        id(layer): layer_decay**depth
        for depth, group in enumerate(reversed(request.body), start=1)
        for layer in group.layers
    }


def opened_layers(
    request: PlanRequest, *, batch_norm: BatchNormRule, blocks: Blocks | None = None
) -> Callable[[int], tuple[keras.layers.Layer, ...]]:
    """The function from an epoch, counted from 0, to the layers that train in it.

    Gradual unfreezing, Howard & Ruder 2018, section 3.3, as PaddleHub counts it: in epoch
    e the head and the top e + 1 blocks train, each block whole.

    Args:
        request: holds the groups.
        batch_norm: what becomes of the body's BatchNorm layers.
        blocks: None opens all of them from the start.
    """
    is_frozen = freezes_batch_norm(request, batch_norm)
    top = max(blocks.values()) if blocks else 0

    def open_layers(epoch: int) -> tuple[keras.layers.Layer, ...]:
        body = [
            layer
            for group in request.body
            for layer in group.layers
            if not (is_frozen and isinstance(layer, keras.layers.BatchNormalization))
            and (blocks is None or blocks.get(id(layer), top) >= top - epoch)
        ]
        return (*body, *request.head.layers)

    return open_layers


def frozen_inside(
    request: PlanRequest, batch_norm: BatchNormRule
) -> tuple[keras.layers.Layer, ...]:
    """The BatchNorm layers within composite layers of the body that must never train."""
    if not freezes_batch_norm(request, batch_norm):
        return ()
    return tuple(
        inner
        for group in request.body
        for layer in group.layers
        for inner in layer._flatten_layers(include_self=False)
        if isinstance(inner, keras.layers.BatchNormalization)
    )


def freezes_batch_norm(request: PlanRequest, batch_norm: BatchNormRule) -> bool:
    """Whether the body's BatchNorm keeps its statistics, gamma and beta.

    Small batches ruin pretrained statistics, and on a CPU a BatchNorm whose gamma and beta
    train halves the speed. "auto" freezes it where there is something to keep.
    """
    return batch_norm == "frozen" or (batch_norm == "auto" and request.is_pretrained)


def check_batch_norm(batch_norm: str) -> None:
    """Refuse an unknown rule.

    Raises:
        ConfigError: it is none of "auto", "frozen" and "train".
    """
    if batch_norm not in get_args(BatchNormRule):
        raise ConfigError(
            f"batch_norm must be one of {', '.join(get_args(BatchNormRule))}, not {batch_norm!r}"
        )


def weight_layers(request: PlanRequest) -> list[keras.layers.Layer]:
    """The body's layers that hold weights, the image first."""
    return [layer for group in request.body for layer in group.layers if layer.weights]


def _check_names(unused: set[str], missing: list[str], params_layer: Mapping[str, int]) -> None:
    wrong = []
    if unused:
        wrong.append(f"no layer or group below the head is called {', '.join(sorted(unused))}")
    odd = [name for name, block in params_layer.items() if type(block) is not int or block < 0]
    if odd:
        wrong.append(f"blocks are whole numbers from 0 up, unlike those of {', '.join(odd)}")
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        wrong.append(f"these layers are in no block: {', '.join(missing[:10])}{more}")
    if wrong:
        raise ConfigError("params_layer is wrong:\n  " + "\n  ".join(wrong))
