"""TensorFlow's convolutions by oneDNN, which hubcls asks for, against those by Eigen.

    python benchmarks/onednn.py [--rounds 2] [--store]

Images a second of inference and of training steps, as hubcls computes them and as plain Keras
does: EfficientNet-Lite0 with frozen BatchNorm, ResNet-50 with BatchNorm that trains, random
weights. Processes with TF_ENABLE_ONEDNN_OPTS=1 and 0 take turns. On processors with VNNI oneDNN
is TensorFlow's default. With `--store` the table goes into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

BATCH_SIZE = 32
STEPS = 2
SWITCH = "TF_ENABLE_ONEDNN_OPTS"
NAMES = {"1": "oneDNN", "0": "Eigen"}

# What a process measures: images a second by the row's name.
Rates = dict[str, float]


def main() -> None:
    """Measure in turn, and print or store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--one", action="store_true", help="measure in this process alone")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(rates()))
        return
    turns = [(value, measured(value)) for _ in range(arguments.rounds) for value in NAMES]
    from pages import store, where_measured

    text = f"{table(turns)}\n\n{where_measured()} Batches of {BATCH_SIZE}."
    if arguments.store:
        store("benchmarks.md", "onednn", text)
    else:
        print(text)


def measured(value: str) -> Rates:
    """What a process with the switch at that value finds."""
    command = [sys.executable, __file__, "--one"]
    ended = subprocess.run(
        command, env={**os.environ, SWITCH: value}, stdout=subprocess.PIPE, check=True, text=True
    )
    found: Rates = json.loads(ended.stdout.splitlines()[-1])
    print(NAMES[value], found, file=sys.stderr, flush=True)
    return found


def rates() -> Rates:
    """Inference and training of both networks, in this process."""
    import keras
    import tensorflow as tf

    import hubcls
    from hubcls.folding import folded
    from hubcls.inference.tensorflow_runtimes import FrozenGraph, KerasFunction

    def training(network: keras.Model, images: tf.Tensor) -> float:
        def step() -> list[Any]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(network(images, training=True))
            gradients: list[Any] = tape.gradient(loss, network.trainable_weights)
            return gradients

        return rate_of(tf.function(step, autograph=False))

    found = {}
    for name, norm_trains in (("efficientnet_lite0_imagenet", False), ("resnet50_imagenet", True)):
        network = hubcls.Module(name=name, weights=None).backbone
        network.trainable = True
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = norm_trains
        shape = (BATCH_SIZE, *network.input_shape[1:])
        images = tf.random.stateless_uniform(shape, (0, 1), maxval=255.0)
        graph = FrozenGraph(network, tf.TensorSpec([None, *shape[1:]], images.dtype))
        keras_function = KerasFunction(network)
        found[f"`{name}`, inference, hubcls"] = rate_of(functools.partial(graph.begin, images))
        found[f"`{name}`, inference, plain Keras"] = rate_of(
            functools.partial(keras_function.begin, images)
        )
        for words, context in (("hubcls", folded(network)), ("plain Keras", nullcontext())):
            with context:
                found[f"`{name}`, training, {words}"] = training(network, images)
    return found


def rate_of(computed: Callable[[], Any]) -> float:
    """Images a second, after a call that traces and one that warms up."""
    for _ in range(2):
        computed()
    began = time.perf_counter()
    for _ in range(STEPS):
        computed()
    return STEPS * BATCH_SIZE / (time.perf_counter() - began)


def table(turns: Sequence[tuple[str, Mapping[str, float]]]) -> str:
    """Medians of both, and their ratio, one row for each network and kind of work."""
    lines = ["| images/s | oneDNN | Eigen | |", "|---|---|---|---|"]
    for row in turns[0][1]:
        own, other = (
            statistics.median(found[row] for value, found in turns if value == wanted)
            for wanted in NAMES
        )
        lines.append(f"| {row} | {own:,.1f} | {other:,.1f} | {own / other:.2f}× |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
