"""The short way for few images: decoded at once, where setting up a stream would cost more."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hubcls.images.decoding import ImageFile, RGBArray
from hubcls.images.resizing import load, resize
from hubcls.pipeline.building import CheckFile, OneImage, checked_images
from hubcls.preprocessing import Preprocessing


def image_batch(
    images: Sequence[OneImage], preprocessing: Preprocessing, *, check: CheckFile
) -> npt.NDArray[np.uint8]:
    """One or more images as `image_batches` gives them, uint8 [N, height, width, 3].

    Args:
        images: as for `image_batches`.
        preprocessing: what every image goes through.
        check: as for `image_batches`.

    Raises:
        UnreadableImagesError: some images cannot be read; lists all that `check` found.
    """
    found = checked_images(images, check)
    return np.stack([_loaded(image, preprocessing) for image in found])


def _loaded(image: ImageFile | RGBArray, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    if isinstance(image, ImageFile):
        path = os.fsencode(image.path)
        pixels = _loader(preprocessing, image.needs_pillow)(path).numpy()
    else:
        pixels = _resizer(preprocessing)(image).numpy()
    return np.asarray(pixels, np.uint8)


# Traced once for all calls: a third of the time of single operations.
@functools.lru_cache(maxsize=8)
def _loader(preprocessing: Preprocessing, needs_pillow: bool) -> Any:
    return _traced(
        lambda path: load(path, needs_pillow, preprocessing), tf.TensorSpec([], tf.string)
    )


@functools.lru_cache(maxsize=8)
def _resizer(preprocessing: Preprocessing) -> Any:
    image = tf.TensorSpec([None, None, 3], tf.uint8)
    return _traced(lambda pixels: resize(pixels, preprocessing), image)


def _traced(function: Callable[[tf.Tensor], tf.Tensor], argument: tf.TensorSpec) -> Any:
    return tf.function(function, input_signature=[argument], autograph=False)
