"""Grouped convolutions: Keras' layer, which goes through XLA on a CPU, against ours.

    python benchmarks/grouped_convolutions.py

Prints milliseconds for a batch of 8 maps of 28×28 with 256 channels in 32 groups, forward
and with gradients, the median of five after the first.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf

from hubcls.backbones.layers import GroupedConv2D

MAPS = tf.constant(np.random.default_rng(0).random((8, 28, 28, 256), np.float32))


def main():
    """Time both layers both ways."""
    for kind in (keras.layers.Conv2D, GroupedConv2D):
        layer = kind(256, 3, groups=32, padding="same", use_bias=False)
        layer.build(MAPS.shape)
        forward = milliseconds(tf.function(layer.call))
        gradients = milliseconds(tf.function(lambda maps, layer=layer: learned(layer, maps)))
        print(f"{kind.__name__:14} forward {forward:8.1f} ms, with gradients {gradients:8.1f} ms")


def learned(layer, maps):
    """Gradients of a loss by the maps and the kernel."""
    with tf.GradientTape() as tape:
        tape.watch(maps)
        loss = tf.reduce_sum(layer(maps) ** 2)
    return tape.gradient(loss, [maps, layer.kernel.value])


def milliseconds(function):
    """The median time of a call, tracing aside."""
    function(MAPS)
    times = []
    for _ in range(5):
        started = time.perf_counter()
        function(MAPS)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


if __name__ == "__main__":
    main()
