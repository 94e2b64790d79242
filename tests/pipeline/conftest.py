"""A small split of image files of several kinds and sizes, and one in memory."""

import numpy as np
import pytest
from PIL import Image

from hubcls.datasets.base import Split

# Each image is of one grey, so that a batch tells which images are in it.
GREYS = tuple(range(10, 240, 21))
NUM_CLASSES = 3


@pytest.fixture
def greys():
    return np.array(GREYS)


@pytest.fixture
def files(tmp_path):
    """Eleven grey files in turn JPEG, PNG, and PNG with alpha, of different sizes."""
    paths = []
    for place, grey in enumerate(GREYS):
        image = Image.new("RGB", (20 + place, 31 - place), (grey, grey, grey))
        path = tmp_path / f"{place}.{'jpg' if place % 3 == 0 else 'png'}"
        (image.convert("RGBA") if place % 3 == 2 else image).save(path)
        paths.append(str(path))
    places = np.arange(len(GREYS))
    return Split(tuple(paths), places % NUM_CLASSES, places % 3 == 2)


@pytest.fixture
def arrays():
    """Eleven grey images, uint8 [N, 12, 10, 1]."""
    images = np.broadcast_to(np.uint8(GREYS)[:, None, None, None], (len(GREYS), 12, 10, 1))
    return Split(np.ascontiguousarray(images), np.arange(len(GREYS)) % NUM_CLASSES)


@pytest.fixture
def noise():
    """Seven noisy colour images in memory, on which every augmentation shows."""
    images = np.random.default_rng(0).integers(0, 256, (7, 40, 48, 3), np.uint8)
    return Split(images, np.arange(7) % NUM_CLASSES)
