"""In which operations hubcls' time goes, in TensorFlow's own profile: the limits of run.py's goals.

    python benchmarks/operations.py --photographs FOLDER

Profiled are a training step of ResNet-50 (every layer open, random weights) and one of
EfficientNet-Lite0 (the default strategy: BatchNorm frozen), augmented batches of photographs
that are kept decoded, and the pass of photographs through EfficientNet-Lite0; each after a
first one that warms up. FOLDER has photographs in folders of classes, such as the `copies-…`
that `run.py` leaves in its work folder; a full run of it puts this table behind its own.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from speed.rows import computes_in_bfloat16
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import hubcls
from hubcls.classification.rebuilding import rebuilt
from hubcls.folding import folded

BATCH_SIZE, BATCHES = 32, 10
LITE0, RESNET = "efficientnet_lite0_imagenet", "resnet50_imagenet"
SHOWN = 6
# oneDNN's operations are called by TensorFlow's names behind this.
ONEDNN = "_MklNative"
# They wait for, or run, others.
CALLS = {"IteratorGetNext", "PartitionedCall", "StatefulPartitionedCall", "Case", "If", "While"}


def main() -> None:
    """Profile each, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    arguments = parser.parse_args()
    # A pass that finds its features kept would compute nothing.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HUBCLS_HOME"] = str(Path(folder, "home"))
        made = runs(arguments.photographs, Path(folder))
        found = {name: profiled(run) for name, run in made.items()}
    print(table(found))


def runs(photographs: Path, folder: Path) -> dict[str, Callable[[], Any]]:
    """What is profiled, by name; runs leave their files in the folder."""
    images = hubcls.datasets.ImageFolder(photographs, val_fraction=0.5, test_fraction=0)
    shown = f"{BATCHES * BATCH_SIZE} photographs"
    found = {
        "T2b: a step of ResNet-50, float32": step(RESNET, "float32"),
        "T2b: a step of ResNet-50, bfloat16": step(RESNET, "mixed_bfloat16"),
        "T5: a step of EfficientNet-Lite0": step(LITE0, "float32"),
        f"T3b: {shown}, kept decoded, to augmented batches": stream(images, folder / "stream"),
        f"T1, T4: {shown} through EfficientNet-Lite0": network_pass(
            images,
            sorted(map(str, photographs.rglob("*.jpg")))[: BATCHES * BATCH_SIZE],
            folder / "pass",
        ),
    }
    if not computes_in_bfloat16():
        del found["T2b: a step of ResNet-50, bfloat16"]
    return found


def step(name: str, policy: str) -> Callable[[], list[Any]]:
    """A training step of a backbone; BatchNorm trains where nothing is pretrained."""
    is_pretrained = name == LITE0
    module = hubcls.Module(name=name, weights="imagenet" if is_pretrained else None)
    network = rebuilt(module.backbone, policy)
    network.trainable = True
    if is_pretrained:
        for layer in network.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    shape = (BATCH_SIZE, *network.input_shape[1:])
    images = tf.random.stateless_uniform(shape, (0, 1), maxval=255.0)

    def stepped() -> list[Any]:
        with folded(network), tf.GradientTape() as tape:
            outputs = network(images, training=True)
            loss = tf.reduce_mean(tf.cast(outputs, tf.float32))
        gradients: list[Any] = tape.gradient(loss, network.trainable_weights)
        return gradients

    traced: Callable[[], list[Any]] = tf.function(stepped, autograph=False)
    return traced


def stream(images: hubcls.datasets.ImageFolder, folder: Path) -> Callable[[], None]:
    """Batches of T3b: crops, flips and colours drawn anew."""
    augmentation = hubcls.Augmentation(operations=({"name": "color_jitter"},))
    task = hubcls.ImageClassifierTask(
        data_reader=hubcls.reader.ImageClassificationReader(
            dataset=images, augmentation=augmentation
        ),
        module=hubcls.Module(name=LITE0),
        config=hubcls.RunConfig(checkpoint_dir=folder, batch_size=BATCH_SIZE, decoded_cache=True),
    )
    numbers = itertools.count(step=BATCHES)

    def streamed() -> None:
        # Training reads this very stream; nothing public gives its batches without the training.
        for _ in task._assembly.stream.batches(next(numbers), BATCHES):
            pass

    return streamed


def network_pass(
    images: hubcls.datasets.ImageFolder, paths: list[str], folder: Path
) -> Callable[[], Any]:
    """Photographs decoded and classified, as in T4, without OpenVINO."""
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name=LITE0),
        dataset=images,
        config=hubcls.RunConfig(checkpoint_dir=folder, num_epoch=0),
    )
    task.save_best_model()
    predictor = hubcls.load(folder, backend="keras")
    return lambda: predictor.predict(paths, batch_size=BATCH_SIZE)


def profiled(run: Callable[[], object]) -> tuple[float, dict[str, float]]:
    """Seconds of a run, and of each kind of operation in it."""
    with tempfile.TemporaryDirectory() as folder:
        run()
        tf.profiler.experimental.start(folder)
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        tf.profiler.experimental.stop()
        return seconds, operations(Path(folder))


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
                kind = kind.removeprefix(ONEDNN)
                if name and not name.endswith(":") and kind.isidentifier() and kind not in CALLS:
                    spent[kind] += event.duration_ps / 1e12
    return spent


def table(found: Mapping[str, tuple[float, Mapping[str, float]]]) -> str:
    """A row a run: its time, and the share of the operations that take most."""
    rows = ["| | ms | share of all operations' time |", "|---|---|---|"]
    for name, (seconds, spent) in found.items():
        most = sorted(spent, key=lambda kind: -spent[kind])[:SHOWN]
        whole = sum(spent.values())
        shares = ", ".join(f"`{kind}` {100 * spent[kind] / whole:.0f} %" for kind in most)
        rows.append(f"| {name} | {1e3 * seconds:,.0f} | {shares} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
