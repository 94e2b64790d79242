"""Photographs to measure on, of ten classes, made from those that pip packages carry.

Each class is one photograph of scikit-image, scikit-learn or matplotlib. An image is a small
window of it, seen at an angle, with a veil of another class over it, other colours and grain,
500 x 375 pixels as JPEG of quality 90 (about 50 kB). Training and validation look at
different fields of the photograph, so no pixel is in both. The same seed makes the same files.

    python benchmarks/photographs.py FOLDER --train 1024 --val 256
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

SOURCES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "galaxy": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "officer": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "palace": ("sklearn", "datasets/images/china.jpg"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
}
WIDTH, HEIGHT, QUALITY = 500, 375, 90
# A photograph is three fields wide and two high; validation has two of the six.
FIELDS = {"train": ((0, 0), (2, 0), (0, 1), (1, 1)), "val": ((1, 0), (2, 1))}
MADE = "made.json"


def make(folder: Path, *, train: int, val: int, seed: int = 0) -> Path:
    """`folder/train/cat/00001.jpg` and so on; what is there already is not made again.

    Args:
        folder: of the photographs.
        train: how many for training, over all classes.
        val: how many for validation.
        seed: of everything that is drawn.
    """
    made = json.dumps({"train": train, "val": val, "seed": seed, "classes": len(SOURCES)})
    if (folder / MADE).is_file() and (folder / MADE).read_text(encoding="utf-8") == made:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for split, count in (("train", train), ("val", val)):
        for number in range(count):
            name = list(SOURCES)[number % len(SOURCES)]
            path = folder / split / name / f"{number:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            chance = np.random.default_rng([seed, split == "val", number])
            photograph(name, split, chance).save(path, quality=QUALITY)
    (folder / MADE).write_text(made, encoding="utf-8")
    return folder


def photograph(name: str, split: str, chance: np.random.Generator) -> Image.Image:
    """One image of a class, drawn by `chance`."""
    other = str(chance.choice([each for each in SOURCES if each != name]))
    veil = chance.uniform(0.0, 0.35)
    image = Image.blend(window(name, split, chance), window(other, split, chance), veil)
    for change, low, high in (
        (ImageEnhance.Color, 0.0, 1.3),
        (ImageEnhance.Brightness, 0.6, 1.3),
        (ImageEnhance.Contrast, 0.6, 1.4),
    ):
        image = change(image).enhance(chance.uniform(low, high))
    pixels = np.asarray(image, np.float32) * chance.uniform(0.8, 1.2, 3)
    grain = chance.standard_normal(pixels.shape, np.float32) * chance.uniform(3, 11)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def window(name: str, split: str, chance: np.random.Generator) -> Image.Image:
    """A part of a class' photograph within the split's fields, seen at an angle."""
    source = opened(name)
    column, row = FIELDS[split][int(chance.integers(len(FIELDS[split])))]
    field = np.array([source.width / 3, source.height / 2])
    width = min(field[0], field[1] * WIDTH / HEIGHT) * chance.uniform(0.5, 1)
    height = width * HEIGHT / WIDTH
    x, y = field * (column, row) + chance.uniform(0, 1, 2) * (field - (width, height))
    corners = np.array([(x, y), (x, y + height), (x + width, y + height), (x + width, y)])
    inwards = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1)])
    corners = corners + inwards * chance.uniform(0, 0.15, (4, 2)) * (width, height)
    quad = tuple(float(value) for value in corners.ravel())
    seen = source.transform((WIDTH, HEIGHT), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    mirrored = chance.random() < 0.5
    return seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else seen


@functools.cache
def opened(name: str) -> Image.Image:
    """The photograph of a class, RGB."""
    package, path = SOURCES[name]
    return Image.open(io.BytesIO(files(package).joinpath(path).read_bytes())).convert("RGB")


def copies(photographs: Path, folder: Path, count: int, *, side: int | None = None) -> Path:
    """As many files as asked for, each with bytes of its own: a number in a JPEG comment.

    Args:
        photographs: what `make` left; its images come in turn, class by class.
        folder: of the copies, with a folder for each class.
        count: how many.
        side: width in pixels to shrink them to; None keeps their size.
    """
    if folder.is_dir() and sum(1 for _ in folder.rglob("*.jpg")) == count:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for name in SOURCES:
        (folder / name).mkdir(parents=True)
    sources = [(path.parent.name, shrunk(path, side)) for path in in_turn(photographs)]
    for number in range(count):
        name, content = sources[number % len(sources)]
        (folder / name / f"{number:05d}.jpg").write_bytes(commented(content, number))
    return folder


def in_turn(photographs: Path) -> Iterator[Path]:
    """Every image of both splits, one of each class after the other."""
    return iter(sorted(photographs.rglob("*.jpg"), key=lambda path: (path.name, str(path))))


def shrunk(path: Path, side: int | None) -> bytes:
    """The file's bytes, or those of a smaller image."""
    if side is None:
        return path.read_bytes()
    with Image.open(path) as image:
        image.thumbnail((side, side))
        content = io.BytesIO()
        image.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def commented(jpeg: bytes, number: int) -> bytes:
    """The JPEG with a comment segment (FF FE, length) after its first two bytes."""
    return jpeg[:2] + b"\xff\xfe\x00\x0a" + f"{number:08d}".encode() + jpeg[2:]


def mean_size(folder: Path) -> float:
    """Mean size of the photographs in kB."""
    return float(np.mean([path.stat().st_size for path in folder.rglob("*.jpg")]) / 1000)


def pixels_of(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """A photograph stretched to a square, uint8 [size, size, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((size, size)))


def main() -> None:
    """Make the photographs and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=1024)
    parser.add_argument("--val", type=int, default=256)
    arguments = parser.parse_args()
    folder = make(arguments.folder, train=arguments.train, val=arguments.val)
    print(f"{folder}: {mean_size(folder):.0f} kB each")


if __name__ == "__main__":
    main()
