"""Real photographs, and seeds for a batch."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images


@pytest.fixture(scope="session")
def photos():
    """Two photographs, the same two darker, a black square and noise: uint8 [6, 96, 128, 3]."""
    bright = [np.asarray(Image.fromarray(i).resize((128, 96))) for i in load_sample_images().images]
    dark = [image // 3 + 20 for image in bright]
    noise = np.random.default_rng(0).integers(0, 256, bright[0].shape)
    return np.stack([*bright, *dark, np.zeros_like(noise), noise]).astype(np.uint8)


@pytest.fixture(scope="session")
def seeds_of():
    """The function that gives `count` seeds, int64 [count, 2]."""
    return lambda count, first=0: tf.constant([[first, row] for row in range(count)], tf.int64)
