"""Networks that compute what their layers do in fewer passes over memory.

A BatchNorm that does not train multiplies and shifts each channel by numbers that do not
change: put into the kernel and bias of the convolution before it, they cost nothing, and let
TensorFlow fuse what follows. One that trains is computed by a kernel of its own.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.folding.batch_norm import fused_batch_norm, is_fusable
from hubcls.folding.depthwise import depthwise_conv2d, is_slow

Computation = Callable[..., Any]
# A kernel, and a bias or None.
_Weights = tuple[Any, Any]


@contextlib.contextmanager
def folded(model: keras.Model) -> Iterator[None]:
    """Inside, calls of the model with `training=True` compute what they always do, sooner.

    Layers and variables stay what they are: only what a step computes from them changes,
    by rounding alone. Wherever layers open or freeze, leave and enter anew, and trace the
    step again.

    Args:
        model: functional; other models, nested ones too, stay as they are.
    """
    with _substituted(model, _training_computations, in_training=True):
        yield


@contextlib.contextmanager
def folded_constants(model: keras.Model) -> Iterator[None]:
    """Inside, calls with `training=False` fold each BatchNorm, and convolutions are constants.

    TensorFlow folds a BatchNorm into constants by itself, but not behind a depthwise
    convolution (TensorFlow 2.21).

    Args:
        model: functional, in float32; its weights as they are now are what is computed with.
    """
    with _substituted(model, _constant_computations, in_training=False):
        yield


@contextlib.contextmanager
def _substituted(
    model: keras.Model,
    choose: Callable[[keras.Model], dict[int, Computation]],
    *,
    in_training: bool,
) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for network in model._flatten_layers():
            instead = choose(network) if _is_functional(network) else {}
            if instead:
                stack.enter_context(_replaced(network, instead, in_training=in_training))
        yield


def folded_pairs(
    network: keras.Model, *, in_training: bool
) -> list[tuple[keras.layers.Layer, keras.layers.BatchNormalization]]:
    """Convolutions and the BatchNorm that alone reads their output; in training, a frozen one."""
    nodes = [node for depth in network._nodes_by_depth.values() for node in depth]
    calls = Counter(id(node.operation) for node in nodes)
    reads = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    reads.update(id(tensor) for tensor in network.outputs)
    made_by = {id(tensor): node.operation for node in nodes for tensor in node.outputs}
    pairs = []
    for node in nodes:
        if node.is_input or not _is_norm(node.operation):
            continue
        if in_training and node.operation.trainable:
            continue
        source = node.input_tensors[0]
        convolution = made_by.get(id(source))
        is_alone = reads[id(source)] == calls[id(convolution)] == calls[id(node.operation)] == 1
        if is_alone and _is_plain(convolution) and _is_linear(convolution):
            pairs.append((convolution, node.operation))
    return pairs


class _Substituting:
    """A functional model that computes some of its layers in another way."""

    def __init__(self, model: keras.Model, instead: dict[int, Computation]) -> None:
        self._model = model
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def _run_through_graph(self, inputs: Any, operation_fn: Computation) -> Any:
        def chosen(operation: Any) -> Computation:
            return self._instead.get(id(operation)) or operation_fn(operation)  # type: ignore[no-any-return]

        return self._model._run_through_graph(inputs, operation_fn=chosen)


@contextlib.contextmanager
def _replaced(
    model: keras.Model, instead: dict[int, Computation], *, in_training: bool
) -> Iterator[None]:
    plain, outer = type(model).call, vars(model).get("call")
    otherwise = model.call
    substituting = _Substituting(model, instead)

    def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if bool(training) != in_training:
            return otherwise(inputs, training=training, mask=mask)
        return plain(substituting, inputs, training=training, mask=mask)

    # Past Keras' own __setattr__, which would look for layers in it.
    object.__setattr__(model, "call", call)
    try:
        yield
    finally:
        # A hook may predict while a training step is folded.
        if outer is None:
            object.__delattr__(model, "call")
        else:
            object.__setattr__(model, "call", outer)


def _training_computations(network: keras.Model) -> dict[int, Computation]:
    """`id(layer)` → what is computed in its place in training."""
    instead: dict[int, Computation] = {}
    for convolution, norm in folded_pairs(network, in_training=True):
        instead[id(convolution)] = _convolution(
            convolution, functools.partial(_weights, convolution, norm)
        )
        instead[id(norm)] = _as_it_is
    for layer in network.layers:
        if id(layer) not in instead and _is_plain(layer) and _has_slow_gradient(layer):
            instead[id(layer)] = _convolution(layer, functools.partial(_weights, layer, None))
        if is_fusable(layer):
            instead[id(layer)] = _norm(layer)
    return instead


def _constant_computations(network: keras.Model) -> dict[int, Computation]:
    """`id(layer)` → what is computed in its place in inference, from the weights of now."""
    instead: dict[int, Computation] = {}
    for convolution, norm in folded_pairs(network, in_training=False):
        kernel, shift = (np.asarray(weight) for weight in _weights(convolution, norm))
        instead[id(convolution)] = _convolution(convolution, _always((kernel, shift)))
        instead[id(norm)] = _as_it_is
    return instead


def _norm(layer: keras.layers.BatchNormalization) -> Computation:
    def compute(images: Any, **_: Any) -> Any:
        return fused_batch_norm(layer, images)

    return compute


def _convolution(layer: Any, weights: Callable[[], _Weights]) -> Computation:
    """Maps [B, H, W, C] to what the layer makes of them with other weights."""

    def compute(images: Any, **_: Any) -> Any:
        kernel, shift = weights()
        dtype = layer.compute_dtype
        maps = _convolved(layer, tf.cast(images, dtype), tf.cast(kernel, dtype))
        if shift is not None:
            # Not `+`: a bias is what TensorFlow fuses with the convolution.
            maps = tf.nn.bias_add(maps, tf.cast(shift, dtype))
        return layer.activation(maps)

    return compute


def _weights(layer: Any, norm: keras.layers.BatchNormalization | None) -> _Weights:
    """Kernel and bias of a convolution with the BatchNorm, if any, put into them."""
    # `_value`, for `value` has the precision of the computation: scaling comes first.
    kernel = layer.kernel._value
    shift = layer.bias._value if layer.use_bias else None
    if norm is not None:
        scale = tf.math.rsqrt(norm.moving_variance.value + norm.epsilon)
        scale = scale * norm.gamma.value if norm.scale else scale
        shift = (0.0 if shift is None else shift) - norm.moving_mean.value
        shift = shift * scale + (norm.beta.value if norm.center else 0.0)
        kernel = kernel * (tf.reshape(scale, kernel.shape[2:]) if _is_depthwise(layer) else scale)
    return kernel, shift


def _always(weights: _Weights) -> Callable[[], _Weights]:
    return lambda: weights


def _convolved(layer: Any, images: Any, kernel: Any) -> Any:
    if not _is_depthwise(layer):
        return layer.convolution_op(images, kernel)
    if _has_slow_gradient(layer):
        stride, padding = layer.strides[0], layer.padding.upper()
        return depthwise_conv2d(images, kernel, stride=stride, padding=padding)
    return keras.ops.depthwise_conv(
        images, kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
    )


def _as_it_is(images: Any, **_: Any) -> Any:
    return images


def _is_functional(layer: keras.layers.Layer) -> bool:
    return getattr(type(layer).call, "__qualname__", "") == "Functional.call"


def _is_norm(operation: Any) -> bool:
    return (
        isinstance(operation, keras.layers.BatchNormalization)
        and type(operation).call is keras.layers.BatchNormalization.call
        and not getattr(operation, "renorm", False)
        and operation.axis in (-1, 3)
    )


def _is_plain(layer: Any) -> bool:
    """Whether a layer computes nothing but a convolution of its variables, and the usual rest."""
    return (
        isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
        and type(layer).call in (keras.layers.Conv2D.call, keras.layers.DepthwiseConv2D.call)
        and layer.data_format == "channels_last"
        and isinstance(layer.kernel, keras.Variable)
        and layer.activity_regularizer is None
    )


def _is_linear(layer: Any) -> bool:
    return layer.activation is keras.activations.linear


def _is_depthwise(layer: Any) -> bool:
    return isinstance(layer, keras.layers.DepthwiseConv2D)


def _has_slow_gradient(layer: Any) -> bool:
    return (
        _is_depthwise(layer)
        and is_slow(layer.kernel_size)
        and layer.strides[0] == layer.strides[1]
        and tuple(layer.dilation_rate) == (1, 1)
        and not tf.config.list_logical_devices("GPU")
    )
