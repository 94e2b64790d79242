"""Where a stream's images come from: files, one array in memory, or a mixture of both."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from hubcls.datasets.base import Split
from hubcls.images.augmenting import Augmentation, augment, load_augmented
from hubcls.images.decoding import RGBArray
from hubcls.images.resizing import load, load_shrunk, resize
from hubcls.preprocessing import Preprocessing


class ImageSource(Protocol):
    """Images by number, ready for the network; usable inside TensorFlow graphs."""

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """Image `index` as evaluation sees it, uint8 [height, width, 3]."""

    def load_augmented(
        self, index: tf.Tensor, augmentation: Augmentation, drawn: tf.Tensor
    ) -> tf.Tensor:
        """Image `index` changed by a row of `draws`, uint8 [height, width, 3]."""


class FeatureSource(Protocol):
    """What the frozen part of a network made of images, in one view or several of each."""

    @property
    def num_views(self) -> int:
        """Views of each image."""

    def load(self, numbers: tf.Tensor, views: tf.Tensor) -> tf.Tensor:
        """Features, float32 [B, …], of images by number, int64 [B], and view, int64 [B]."""


class FileSource:
    """Image files, read each time that they are needed."""

    def __init__(
        self, paths: Sequence[str], needs_pillow: np.ndarray, preprocessing: Preprocessing
    ) -> None:
        """Hold the paths.

        Args:
            paths: one for each image.
            needs_pillow: bool [N], as `hubcls.images.inspect` found.
            preprocessing: what every image goes through.
        """
        self._preprocessing = preprocessing
        self._any_needs_pillow = bool(np.any(needs_pillow))
        self._paths = on_host([os.fsencode(path) for path in paths], tf.string)
        self._needs_pillow = on_host(needs_pillow, tf.bool)

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """Image `index` as evaluation sees it."""
        return load(self._paths[index], self._is_for_pillow(index), self._preprocessing)

    def load_augmented(
        self, index: tf.Tensor, augmentation: Augmentation, drawn: tf.Tensor
    ) -> tf.Tensor:
        """Image `index` changed at random."""
        return load_augmented(
            self._paths[index],
            self._is_for_pillow(index),
            preprocessing=self._preprocessing,
            augmentation=augmentation,
            drawn=drawn,
        )

    def load_shrunk(self, index: tf.Tensor, max_pixels: int) -> tf.Tensor:
        """All of image `index`, uint8 [H, W, 3], shrunk to about so many pixels."""
        return load_shrunk(self._paths[index], self._is_for_pillow(index), max_pixels)

    def _is_for_pillow(self, index: tf.Tensor) -> tf.Tensor | bool:
        # A plain False keeps Python out of the graph.
        return self._needs_pillow[index] if self._any_needs_pillow else False


class ArraySource:
    """Images of one size, held once in the host's memory."""

    def __init__(self, images: np.ndarray, preprocessing: Preprocessing) -> None:
        """Hold the images.

        Args:
            images: uint8 [N, H, W, C] with C in {1, 3}.
            preprocessing: what every image goes through.
        """
        self._preprocessing = preprocessing
        self._images = on_host(images, tf.uint8)

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """Image `index` as evaluation sees it."""
        return resize(self._rgb(index), self._preprocessing)

    def load_augmented(
        self, index: tf.Tensor, augmentation: Augmentation, drawn: tf.Tensor
    ) -> tf.Tensor:
        """Image `index` changed at random."""
        return augment(
            self._rgb(index), self._preprocessing, augmentation=augmentation, drawn=drawn
        )

    def _rgb(self, index: tf.Tensor) -> tf.Tensor:
        image = tf.gather(self._images, index)
        return tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image


class MixedSource:
    """Files and arrays of any sizes, in the order given; for evaluation alone."""

    def __init__(
        self,
        files: FileSource,
        arrays: Sequence[RGBArray | None],
        preprocessing: Preprocessing,
    ) -> None:
        """Lay arrays over files.

        Args:
            files: one for each image; those that an array covers are never read.
            arrays: for each image uint8 [H, W, 3], or None where the file counts.
            preprocessing: what every image goes through.
        """
        self._files = files
        self._arrays = arrays
        self._preprocessing = preprocessing
        self._is_array = on_host([array is not None for array in arrays], tf.bool)

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """Image `index` as evaluation sees it."""
        if all(array is None for array in self._arrays):
            return self._files.load(index)
        return tf.cond(
            self._is_array[index],
            lambda: self._resized_array(index),
            lambda: self._files.load(index),
        )

    def _resized_array(self, index: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(
            lambda place: self._arrays[int(place)], [index], tf.uint8, stateful=False
        )
        return resize(tf.ensure_shape(image, [None, None, 3]), self._preprocessing)


def on_host(values: Sequence[object] | np.ndarray, dtype: tf.DType) -> tf.Tensor:
    """The values once in the host's memory, whichever graph asks for them first.

    On a GPU's machine a constant would go to the GPU, and back for each image.
    """
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(values, dtype)


def source_of(split: Split, preprocessing: Preprocessing) -> ImageSource:
    """The images of a split."""
    if isinstance(split.images, np.ndarray):
        return ArraySource(split.images, preprocessing)
    return FileSource(split.images, split.needs_pillow, preprocessing)
