"""Images a second of each augmentation, ours beside Keras' layer of the same name.

Batches of 32 uint8 images of 224 x 224 pixels go through `tf.data`, mapped in parallel
over all cores, as training does it. Ours and Keras' take turns, and the median of the
rounds counts. The table goes into docs/augmentation.md between two markers.

    python benchmarks/augmentation.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from pages import store, where_measured
from PIL import Image
from sklearn.datasets import load_sample_images

from hubcls.images.operations import OPERATIONS, operation

SIZE, BATCH, CLASSES = 224, 32, 10
LEVELS = {"value_range": (0, 255)}
# As near to our defaults as the layers' arguments come.
KERAS: dict[str, Callable[[], keras.Layer]] = {
    "augmix": lambda: keras.layers.AugMix(**LEVELS),
    "color_jitter": lambda: keras.layers.RandomColorJitter(
        **LEVELS,
        brightness_factor=0.4,
        contrast_factor=0.4,
        saturation_factor=(0.3, 0.7),
        hue_factor=0.1,
    ),
    "cutmix": lambda: keras.layers.CutMix(),
    "cutout": lambda: keras.layers.RandomErasing(
        factor=1.0, scale=(0.25, 0.25), fill_value=0.5, **LEVELS
    ),
    "mixup": lambda: keras.layers.MixUp(alpha=0.2),
    "rand_augment": lambda: keras.layers.RandAugment(**LEVELS),
    "random_erasing": lambda: keras.layers.RandomErasing(factor=0.5, scale=(0.02, 0.4), **LEVELS),
    "rotation": lambda: keras.layers.RandomRotation(10 / 360),
}


def images() -> np.ndarray:
    """Thirty-two crops of two photographs, uint8 [32, 224, 224, 3]."""
    crops = []
    for row in range(BATCH):
        photo = Image.fromarray(load_sample_images().images[row % 2])
        corner = 5 * (row // 2)
        box = (corner, corner, corner + 300, corner + 300)
        crops.append(np.asarray(photo.crop(box).resize((SIZE, SIZE))))
    return np.stack(crops)


def ours(name: str, pixels: tf.Tensor, targets: tf.Tensor) -> Callable[[tf.Tensor], Any]:
    """The step of a `tf.data` map that does our operation."""
    change = operation(name)

    def step(number: tf.Tensor) -> Any:
        places = number * BATCH + tf.range(BATCH, dtype=tf.int64)
        return change(pixels, targets, tf.stack([tf.zeros_like(places), places], axis=1))

    return step


def of_keras(name: str, pixels: tf.Tensor, targets: tf.Tensor) -> Callable[[tf.Tensor], Any]:
    """The step of a `tf.data` map that does the same by Keras' layer."""
    layer = KERAS[name]()

    def step(_: tf.Tensor) -> Any:
        floats = tf.cast(pixels, tf.float32)
        if name in ("cutmix", "mixup"):
            return layer({"images": floats, "labels": targets}, training=True)
        return layer(floats, training=True)

    return step


def rate(step: Callable[[tf.Tensor], Any], seconds: float) -> float:
    """Images a second, measured after the stream has warmed up."""
    batches = tf.data.Dataset.range(10**9).map(
        tf.autograph.experimental.do_not_convert(step),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    stream = iter(batches.prefetch(tf.data.AUTOTUNE))
    for _ in range(3):
        next(stream)
    taken(stream, seconds / 4)
    return taken(stream, seconds)


def taken(stream: Iterator[Any], seconds: float) -> float:
    """Images a second while taking batches for that long."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        next(stream)
        count += 1
    return count * BATCH / (time.perf_counter() - began)


def measured(name: str, rounds: int, seconds: float) -> tuple[float, float | None]:
    """The medians of both; None where Keras has no such layer."""
    given = (tf.constant(images()), tf.one_hot(tf.range(BATCH) % CLASSES, CLASSES))
    kinds = [ours, of_keras] if name in KERAS else [ours]
    rates = [[rate(kind(name, *given), seconds) for kind in kinds] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*rates, strict=True)]
    return medians[0], medians[1] if len(medians) > 1 else None


def row(name: str, own: float, other: float | None) -> str:
    """One line of the table."""
    layer = f"{other:,.0f} (`{type(KERAS[name]()).__name__}`)" if other else "no such layer"
    return f"| `{name}` | {own:,.0f} | {layer} |"


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--only", nargs="*", choices=list(OPERATIONS), help="print, do not store")
    arguments = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    lines = [
        where_measured(load=load),
        "",
        "| operation | ours, images/s | Keras, images/s |",
        "|---|---|---|",
    ]
    for name in arguments.only or OPERATIONS:
        lines.append(row(name, *measured(name, arguments.rounds, arguments.seconds)))
        print(lines[-1], flush=True)
    if arguments.only:
        return
    store("augmentation.md", "speed", "\n".join(lines))


if __name__ == "__main__":
    main()
