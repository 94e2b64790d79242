"""What a network answers when large JPEG files are decoded small, beside other ways to resize.

Parts of photographs are enlarged and written as JPEG files with grain, so that the window
that evaluation sees is 2 to 10 times as large as the input of EfficientNet-Lite0. Each file
goes through several ways to shrink it; the tables say how far pixels and logits differ, and
how often the most likely of the 1,000 classes is the same. It goes into docs/benchmarks.md.

    python benchmarks/jpeg_scaling.py --work FOLDER
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import skimage.data
import tensorflow as tf
from pages import store, where_measured
from PIL import Image
from sklearn.datasets import load_sample_images

import hubcls
from hubcls.images.decoding import read_with_pillow
from hubcls.images.graph_decoding import decode_window
from hubcls.images.resizing import aligned, centred_window, fit, load
from hubcls.preprocessing import Preprocessing

NAMES = [
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "ihc.png",
    "camera.png",
    "coins.png",
    "brick.png",
    "grass.png",
    "gravel.png",
]
MODULE = "efficientnet_lite0_imagenet"
Way = Callable[[str], np.ndarray]


def files(work: Path, a_photograph: int, preprocessing: Preprocessing) -> list[str]:
    """JPEG files whose evaluation window is 2 to 10 times as large as the input."""
    folder = Path(skimage.data.__file__).parent
    photos = [Image.open(folder / name).convert("RGB") for name in NAMES]
    photos += [Image.fromarray(image) for image in load_sample_images().images]
    random, paths = np.random.default_rng(0), []
    work.mkdir(parents=True, exist_ok=True)
    for number in range(a_photograph * len(photos)):
        photo = photos[number % len(photos)]
        side = int(min(photo.size) * random.uniform(0.6, 1))
        left, top = (int(random.integers(0, length - side + 1)) for length in photo.size)
        times = 2 ** random.uniform(1, 3.3)
        size = int(np.ceil(times * preprocessing.width / preprocessing.crop_fraction))
        box = (left, top, left + side, top + side)
        large = photo.resize((size, size), Image.Resampling.LANCZOS, box=box)
        grain = random.normal(0, 5, (size, size, 3))
        pixels = np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)
        paths.append(str(work / f"{number}.jpg"))
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def by_pillow(preprocessing: Preprocessing, resampling: Image.Resampling) -> Way:
    """The same window by Pillow, which always averages as it shrinks."""

    def way(path: str) -> np.ndarray:
        image = Image.open(path)
        side = image.width * preprocessing.crop_fraction
        corner = (image.width - side) / 2
        box = (corner, corner, corner + side, corner + side)
        return np.asarray(image.resize((preprocessing.width,) * 2, resampling, box=box))

    return way


def in_full(preprocessing: Preprocessing) -> Way:
    """Decoded in full, and every side averaged from there."""

    def way(path: str) -> np.ndarray:
        pixels = tf.constant(read_with_pillow(path))
        top, left, height, width = middle(tf.shape(pixels)[:2], preprocessing)
        window = pixels[top : top + height, left : left + width]
        return np.asarray(fit(window, preprocessing))

    return way


def as_in_training(preprocessing: Preprocessing) -> Way:
    """Decoded as small as random crops are: no larger than it must be."""

    def way(path: str) -> np.ndarray:
        wanted = tf.constant([preprocessing.height, preprocessing.width])
        window, halvings = decode_window(
            tf.constant(path), False, lambda size: aligned(middle(size, preprocessing), wanted)
        )
        return np.asarray(fit(window, preprocessing, halvings))

    return way


def middle(size: tf.Tensor, preprocessing: Preprocessing) -> tf.Tensor:
    """The window that evaluation sees, before it is moved to the blocks of a JPEG."""
    return centred_window(size, aspect=1.0, fraction=preprocessing.crop_fraction)


def rows(images: Mapping[str, np.ndarray], logits: Mapping[str, np.ndarray]) -> list[str]:
    """Each way beside decoding in full, and beside Pillow's bicubic."""
    full, pillow = list(images)[:2]
    lines = []
    for way in images:
        pixels = np.abs(images[way].astype(int) - images[full]).mean()
        difference = np.abs(logits[way] - logits[full]).mean() / logits[full].std()
        same = [
            np.mean(logits[way].argmax(1) == logits[other].argmax(1)) for other in (full, pillow)
        ]
        lines.append(f"| {way} | {pixels:.2f} | {difference:.3f} | {same[0]:.3f} | {same[1]:.3f} |")
    return lines


def main() -> None:
    """Measure, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for the files")
    parser.add_argument("--each", type=int, default=20, help="files of each photograph")
    arguments = parser.parse_args()
    module = hubcls.Module(MODULE)
    preprocessing = module.preprocessing
    paths = files(arguments.work, arguments.each, preprocessing)
    ways: dict[str, Way] = {
        "decoded in full, averaged": in_full(preprocessing),
        "Pillow, bicubic": by_pillow(preprocessing, Image.Resampling.BICUBIC),
        "Pillow, bilinear": by_pillow(preprocessing, Image.Resampling.BILINEAR),
        "ours, evaluation": lambda path: np.asarray(load(tf.constant(path), False, preprocessing)),
        "ours, random crops": as_in_training(preprocessing),
    }
    images = {name: np.stack([way(path) for path in paths]) for name, way in ways.items()}
    logits = {name: module.classifier.predict(pixels, verbose=0) for name, pixels in images.items()}
    lines = [
        f"{where_measured()} {len(paths)} files.",
        "",
        "| way | pixels differ from the first by (of 255) | logits, in standard deviations "
        "| same class as the first | same class as the second |",
        "|---|---|---|---|---|",
        *rows(images, logits),
    ]
    store("benchmarks.md", "jpeg scaling", "\n".join(lines))


if __name__ == "__main__":
    main()
