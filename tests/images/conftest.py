"""Pictures drawn by NumPy, and files made of them."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture():
    """A smooth uint8 [40, 56, 3] picture with a different corner everywhere, kind to JPEG."""
    rows, columns = np.mgrid[0:40, 0:56]
    channels = [rows * 6, columns * 4, 255 - rows * 3 - columns * 2]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture
def saved(tmp_path):
    """Write an array or a Pillow image under a name; the suffix decides the format."""

    def save(image, name, **options):
        path = tmp_path / name
        image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        image.save(path, **options)
        return str(path)

    return save
