"""In which operations a training step of a network spends its time, float32 and bfloat16.

    python benchmarks/step_operations.py [--module resnet50_imagenet] [--store]

The backbone with random weights, every layer open, BatchNorm in training mode, as a step of
hubcls computes it; one step after one that warms up, in TensorFlow's own profile. Operations
run side by side, so their times add up to more than the step. With `--store` the table goes
into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import collections
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from pages import store, where_measured
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import hubcls
from hubcls.classification.rebuilding import rebuilt
from hubcls.training.folding import folded

POLICIES = ("float32", "mixed_bfloat16")
BATCH_SIZE = 32
SHOWN = 8
# oneDNN's operations are called by TensorFlow's names behind this.
ONEDNN = "_MklNative"


def main() -> None:
    """Profile a step in each precision, and print or store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default="resnet50_imagenet")
    parser.add_argument("--store", action="store_true")
    arguments = parser.parse_args()
    network = hubcls.Module(name=arguments.module, weights=None).backbone
    found = {policy: profiled(rebuilt(network, policy)) for policy in POLICIES}
    text = f"{table(found)}\n\n{where_measured()} `{arguments.module}`, batches of {BATCH_SIZE}."
    if arguments.store:
        store("benchmarks.md", "step operations", text)
    else:
        print(text)


def profiled(network: keras.Model) -> dict[str, float]:
    """Seconds of a "step", and of each kind of operation in it."""
    network.trainable = True
    shape = (BATCH_SIZE, *network.input_shape[1:])
    images = tf.random.stateless_uniform(shape, (0, 1), maxval=255.0)

    def step() -> list[Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.cast(network(images, training=True), tf.float32))
        gradients: list[Any] = tape.gradient(loss, network.trainable_weights)
        return gradients

    with folded(network), tempfile.TemporaryDirectory() as folder:
        traced = tf.function(step, autograph=False)
        traced()
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        traced()
        seconds = time.perf_counter() - began
        tf.profiler.experimental.stop()
        return {"step": seconds, **operations(Path(folder))}


def operations(folder: Path) -> dict[str, float]:
    """Seconds of each kind of operation in a profile, by the operation's name."""
    space = xplane_pb2.XSpace()
    (path,) = folder.rglob("*.xplane.pb")
    space.ParseFromString(path.read_bytes())
    spent: dict[str, float] = collections.defaultdict(float)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # "its/name:Kind" is an operation; "Class::method" and others run operations.
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if name and not name.endswith(":") and kind.isidentifier():
                    spent[kind.removeprefix(ONEDNN)] += event.duration_ps / 1e12
    return spent


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """The step and the operations that take most in float32, one row each, in milliseconds."""
    first, *_ = found.values()
    names = sorted(first, key=lambda name: -first[name])[: SHOWN + 1]
    names.sort(key=lambda name: name != "step")
    rows = [f"| | {', ms | '.join(found)}, ms |", f"|---|{'---|' * len(found)}"]
    for name in names:
        cells = " | ".join(f"{1e3 * spent.get(name, 0.0):,.0f}" for spent in found.values())
        rows.append(f"| {name if name == 'step' else f'`{name}`'} | {cells} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
