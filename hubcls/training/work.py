"""What a network multiplies: its convolutions and matrix products, each to be timed alone."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import tensorflow as tf

from hubcls.backbones.attention_layers import Attention
from hubcls.folding.depthwise import depthwise_conv2d, is_slow

_REPEATS = 3


class Work(Protocol):
    """One shape of what a network computes; equal shapes are equal."""

    @property
    def multiply_adds(self) -> float:
        """Of one image, forward."""

    def seconds(self, batch_size: int, dtype: tf.DType) -> float:
        """The least time of three for one batch, forward and backward; weights are float32."""


@dataclass(frozen=True)
class Convolution:
    """Of maps by filters that see all channels, or those of their group.

    Attributes:
        image: height, width and channels of what goes in.
        kernel: rows, columns, channels of a group and filters.
        stride: of both directions.
        padding: "SAME" or "VALID".
        dilation: of both directions.
    """

    image: tuple[int, int, int]
    kernel: tuple[int, int, int, int]
    stride: int
    padding: str
    dilation: int = 1

    @property
    def multiply_adds(self) -> float:
        """Of one image, forward."""
        return _places(self) * math.prod(self.kernel)

    def seconds(self, batch_size: int, dtype: tf.DType) -> float:
        """The least time of three for one batch, forward and backward."""

        def convolved(images: Any, kernel: Any) -> Any:
            return self.convolved(images, tf.cast(kernel, dtype))

        return _least_seconds(convolved, _normal((batch_size, *self.image), dtype), self.kernel)

    def convolved(self, images: Any, kernel: Any) -> Any:
        """Maps of images, as a training step computes them."""
        return tf.nn.conv2d(images, kernel, self.stride, self.padding, dilations=self.dilation)


class DepthwiseConvolution(Convolution):
    """Of each channel of maps by filters of its own, as many as the kernel's last side."""

    def convolved(self, images: Any, kernel: Any) -> Any:
        """Maps of images, as a training step computes them."""
        if is_slow(self.kernel[:2]) and self.dilation == 1 and not _has_gpu():
            return depthwise_conv2d(images, kernel, stride=self.stride, padding=self.padding)
        strides, dilations = [1, self.stride, self.stride, 1], [self.dilation] * 2
        return tf.nn.depthwise_conv2d(images, kernel, strides, self.padding, dilations=dilations)


@dataclass(frozen=True)
class Product:
    """Of vectors by a matrix of weights.

    Attributes:
        rows: vectors of one image.
        kernel: numbers of a vector, and of what it becomes.
    """

    rows: int
    kernel: tuple[int, int]

    @property
    def multiply_adds(self) -> float:
        """Of one image, forward."""
        return float(self.rows * math.prod(self.kernel))

    def seconds(self, batch_size: int, dtype: tf.DType) -> float:
        """The least time of three for one batch, forward and backward."""

        def multiplied(vectors: Any, kernel: Any) -> Any:
            return tf.linalg.matmul(vectors, tf.cast(kernel, dtype))

        vectors = _normal((batch_size * self.rows, self.kernel[0]), dtype)
        return _least_seconds(multiplied, vectors, self.kernel)


@dataclass(frozen=True)
class AttentionProducts:
    """Scores of queries and keys, float32 shares of them, and values by the shares.

    Attributes:
        groups: windows of one image times heads.
        queries: how many there are in a group.
        keys: likewise; as many values.
        key_width: numbers of a query and of a key.
        value_width: numbers of a value.
    """

    groups: int
    queries: int
    keys: int
    key_width: int
    value_width: int

    @property
    def multiply_adds(self) -> float:
        """Of one image, forward."""
        each = self.queries * self.keys * (self.key_width + self.value_width)
        return float(self.groups * each)

    def seconds(self, batch_size: int, dtype: tf.DType) -> float:
        """The least time of three for one batch, forward and backward."""
        groups = batch_size * self.groups
        keys = _normal((groups, self.keys, self.key_width), dtype)
        values = _normal((groups, self.keys, self.value_width), dtype)

        def attended(queries: Any, keys: Any, values: Any) -> Any:
            scores = tf.linalg.matmul(queries, keys, transpose_b=True)
            shares = tf.nn.softmax(tf.cast(scores, tf.float32))
            return tf.linalg.matmul(tf.cast(shares, dtype), values)

        queries = _normal((groups, self.queries, self.key_width), dtype)
        return _least_of_three(attended, queries, keys, values)


def work_of(network: keras.Model) -> Counter[Work]:
    """What a functional network's own layers multiply, and how often each shape occurs."""
    found: Counter[Work] = Counter()
    for _, works in _layers_with_work(network):
        found.update(works)
    return found


def covered_share(network: keras.Model) -> float:
    """The share of a network's weights that stand in what `work_of` counts, 0 … 1."""
    layers = {id(layer): layer for layer, _ in _layers_with_work(network)}
    counted = sum(layer.count_params() for layer in layers.values())
    return float(counted / max(1, network.count_params()))


def _layers_with_work(network: keras.Model) -> Iterator[tuple[Any, list[Work]]]:
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            shapes = [tuple(tensor.shape[1:]) for tensor in node.input_tensors]
            works = [] if any(None in shape for shape in shapes) else _works(node.operation, shapes)
            if works:
                yield node.operation, works


def _works(layer: Any, shapes: list[tuple[int, ...]]) -> list[Work]:
    """What one call of a layer on tensors of these shapes, less the batch's side, multiplies."""
    if isinstance(layer, Attention):
        return [_attention(layer.num_heads, *shapes)]
    if isinstance(layer, keras.layers.Dense):
        return [Product(math.prod(shapes[0][:-1]), tuple(layer.kernel.shape))]
    if getattr(layer, "data_format", None) != "channels_last":
        return []
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return [_convolution(DepthwiseConvolution, layer, shapes[0])]
    if isinstance(layer, keras.layers.Conv2D):
        return [_convolution(Convolution, layer, shapes[0])]
    return []


def _convolution(kind: Callable[..., Work], layer: Any, image: tuple[int, ...]) -> Work:
    kernel, padding = tuple(layer.kernel.shape), layer.padding.upper()
    return kind(image, kernel, layer.strides[0], padding, layer.dilation_rate[0])


def _attention(
    heads: int, queries: tuple[int, ...], keys: tuple[int, ...], values: tuple[int, ...]
) -> AttentionProducts:
    return AttentionProducts(
        groups=math.prod(queries[:-2]) * heads,
        queries=queries[-2],
        keys=keys[-2],
        key_width=keys[-1] // heads,
        value_width=values[-1] // heads,
    )


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _places(one: Convolution) -> float:
    """Places of the map that comes out."""
    lost = [0, 0]
    if one.padding == "VALID":
        lost = [(side - 1) * one.dilation for side in one.kernel[:2]]
    sides = zip(one.image[:2], lost, strict=True)
    return float(math.prod(-(-(side - less) // one.stride) for side, less in sides))


def _normal(shape: tuple[int, ...], dtype: tf.DType) -> Any:
    return tf.cast(tf.random.stateless_normal(shape, (0, 1)), dtype)


def _least_seconds(compute: Callable[..., Any], inputs: Any, kernel: tuple[int, ...]) -> float:
    return _least_of_three(compute, inputs, _normal(kernel, tf.float32))


def _least_of_three(compute: Callable[..., Any], *tensors: Any) -> float:
    taken = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = compute(*tensors)
        gradients = tape.gradient(result, tensors)
        # Reading a number waits for the device.
        _ = [float(tf.reshape(gradient, [-1])[0]) for gradient in gradients]
        taken.append(time.perf_counter() - began)
    return min(taken)
