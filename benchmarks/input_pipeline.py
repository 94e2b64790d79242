"""Photographs from disk to augmented training batches: images a second and peak memory.

Files of 500 x 375 and of 2000 x 1500 pixels become batches of 32, uint8 [224, 224, 3]: by our
stream, with and without `decoded_cache`, and by `keras.utils.image_dataset_from_directory`
with Keras' augmentation layers. They take turns in one process, and the median of the rounds
counts. Peak memory is that of a fresh process, which evaluates so many small files. The tables
go into docs/benchmarks.md between two markers.

    python benchmarks/input_pipeline.py --work FOLDER
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from pages import store, where_measured
from PIL import Image
from sklearn.datasets import load_sample_images

from hubcls.datasets.base import Split
from hubcls.images.augmenting import Augmentation
from hubcls.images.operations import ColorJitter
from hubcls.pipeline.building import TrainingStream, evaluation_batches
from hubcls.preprocessing import Preprocessing

INPUT, BATCH, CLASSES = Preprocessing(224, 224), 32, 8
SIZES = {(500, 375): 512, (2000, 1500): 96}  # width and height → files
TINY, PASSES = (96, 96), (1_000, 20_000)
# Keras has no random resized crop: its own guides crop from a larger size.
LARGER = (256, 256)
JITTER = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def write_photos(folder: Path, size: tuple[int, int], count: int) -> None:
    """Grainy parts of two photographs as JPEG files of quality 90, in folders of classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        path = folder / str(number % CLASSES) / f"{number}.jpg"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        photo = Image.fromarray(load_sample_images().images[number % 2])
        share = random.uniform(0.5, 1)
        sides = np.array([share * 560, share * 420])
        corner = random.uniform(0, 1, 2) * (photo.size - sides)
        part = photo.resize(size, Image.Resampling.LANCZOS, box=(*corner, *(corner + sides)))
        grain = random.normal(0, 4, (size[1], size[0], 1))
        pixels = np.clip(np.asarray(part) + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)


def split_of(folder: Path) -> Split:
    """All files below a folder, labelled by their parent."""
    paths = sorted(folder.rglob("*.jpg"))
    labels = np.array([int(path.parent.name) for path in paths])
    return Split(tuple(map(str, paths)), labels, np.zeros(len(paths), np.bool_))


def ours(folder: Path, *, jitters: bool, cached: bool) -> tf.data.Dataset:
    """Our training stream."""
    operations = (ColorJitter(**JITTER),) if jitters else ()
    augmentation = Augmentation(operations=operations)
    split = split_of(folder)
    stream = TrainingStream(
        split, CLASSES, INPUT, BATCH, augmentation, seed=0, decoded_cache=cached
    )
    return stream.batches(0, 10**6)


def of_keras(folder: Path, *, jitters: bool) -> tf.data.Dataset:
    """Keras' files and layers; the layers' arguments are as near to ours as they come."""
    layers = [keras.layers.RandomCrop(224, 224), keras.layers.RandomFlip("horizontal")]
    if jitters:
        layers.append(
            keras.layers.RandomColorJitter(
                value_range=(0, 255),
                brightness_factor=0.4,
                contrast_factor=0.4,
                saturation_factor=(0.3, 0.7),
                hue_factor=0.1,
            )
        )
    augment = keras.Sequential(layers)
    batches = keras.utils.image_dataset_from_directory(
        folder, image_size=LARGER, batch_size=BATCH, verbose=False
    )
    return (
        batches.repeat()
        .map(
            lambda images, labels: (tf.cast(augment(images, training=True), tf.uint8), labels),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def rate(batches: tf.data.Dataset, seconds: float) -> float:
    """Images a second, measured after the stream has warmed up."""
    stream = iter(batches)
    taken(stream, seconds / 2)
    return taken(stream, seconds)


def taken(stream: Iterator[object], seconds: float) -> float:
    """Images a second while taking batches for that long."""
    next(stream)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        next(stream)
        count += 1
    return count * BATCH / (time.perf_counter() - began)


def speeds(work: Path, rounds: int, seconds: float) -> Iterator[str]:
    """The rows of the first table."""
    for size, count in SIZES.items():
        folder = work / f"{size[0]}x{size[1]}"
        write_photos(folder, size, count)
        for jitters in (True, False):
            streams = [
                ours(folder, jitters=jitters, cached=False),
                ours(folder, jitters=jitters, cached=True),
                of_keras(folder, jitters=jitters),
            ]
            rates = [[rate(stream, seconds) for stream in streams] for _ in range(rounds)]
            plain, cached, other = (statistics.median(each) for each in zip(*rates, strict=True))
            changes = "crop, flip, colours" if jitters else "crop, flip"
            yield (
                f"| {size[0]}×{size[1]} | {changes} | {other:,.0f} | {plain:,.0f} "
                f"({plain / other:.1f}×) | {cached:,.0f} ({cached / other:.1f}×) |"
            )


def memory(work: Path) -> Iterator[str]:
    """The rows of the second table."""
    write_photos(work / "tiny", TINY, 200)
    sources = sorted((work / "tiny").rglob("*.jpg"))
    for count in PASSES:
        folder = work / f"links_{count}"
        if not folder.exists():
            folder.mkdir()
            for number in range(count):
                (folder / f"{number}.jpg").hardlink_to(sources[number % len(sources)])
        command = [sys.executable, __file__, "--work", str(work), "--one-pass", str(count)]
        figures = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        yield f"| {count:,} | {figures[-2]} MB | {figures[-1]} MB |"


def one_pass(folder: Path) -> None:
    """Print the peak memory of one evaluation pass, and of a training epoch after it, in MB."""
    paths = tuple(str(path) for path in sorted(folder.iterdir()))
    split = Split(paths, np.zeros(len(paths), np.int64), np.zeros(len(paths), np.bool_))
    for _ in evaluation_batches(split, INPUT, batch_size=BATCH):
        pass
    evaluated = peak()
    stream = TrainingStream(split, CLASSES, INPUT, BATCH, Augmentation(), seed=0)
    for _ in stream.batches(0, stream.steps_per_epoch):
        pass
    print(evaluated, peak())


def peak() -> int:
    """Most memory that this process has had, in MB; `resource` would count its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    """Measure, print and store both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for photographs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--one-pass", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_pass:
        one_pass(arguments.work / f"links_{arguments.one_pass}")
        return
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    os.environ["HUBCLS_HOME"] = str(arguments.work / "home")
    lines = [
        where_measured(load=load),
        "",
        "| photographs | changes | Keras | ours | ours, decoded before |",
        "|---|---|---|---|---|",
        *speeds(arguments.work, arguments.rounds, arguments.seconds),
        "",
        "| images | peak memory after evaluating | after a training epoch as well |",
        "|---|---|---|",
        *memory(arguments.work),
    ]
    store("benchmarks.md", "input pipeline", "\n".join(lines))


if __name__ == "__main__":
    main()
