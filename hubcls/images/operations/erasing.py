"""Parts of each image hidden: one box, a random set of patches, or a grid.

What is hidden shows the mean colour of ImageNet by default: after a module's normalisation
that is about the zero which the papers put there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from hubcls.images.operations.chance import folded, random_bytes, uniform
from hubcls.images.operations.table import Batch, refuse_outside

Color = tuple[int, int, int]

_IMAGENET_MEAN: Color = (124, 116, 104)
_ATTEMPTS = 10


@dataclass(frozen=True)
class Cutout:
    """A square around a random pixel hidden; what lies beyond the border is lost.

    DeVries and Taylor 2017, arXiv:1708.04552, section 3.2.

    Attributes:
        size: the square's side as a share of the image's shorter side, from 0 to 2. The
            paper's 16 of CIFAR-10's 32 pixels are 0.5.
        fill: R, G, B, whole numbers 0–255.
    """

    size: float = 0.5
    fill: Color = _IMAGENET_MEAN
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, size=(0.0, 2.0), fill=(0, 255))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Every image with a square hidden; targets stay."""
        height, width = images.shape[1:3]
        half = round(self.size * min(height, width)) // 2
        middle = tf.cast(uniform(seeds, 2) * [float(height), float(width)], tf.int32)
        is_hidden = box(middle - half, middle + half, height, width)
        return painted(images, is_hidden, self.fill), targets


@dataclass(frozen=True)
class RandomErasing:
    """A random rectangle replaced by noise, or by one colour.

    Zhong et al. 2020, arXiv:1708.04896, section 3.2 and algorithm 1: area and aspect ratio
    are uniform, each pixel's noise is uniform over 0–255. Ten rectangles are drawn and the
    first that fits is taken; if none does (less than once in ten million squares), the
    image stays.

    Attributes:
        probability: share of the images that it happens to.
        min_area: least share of the image's area, from 0 to 1.
        max_area: greatest share.
        min_aspect: least height-to-width ratio; the greatest is one over it.
        fill: R, G, B, whole numbers 0–255; None is noise.
    """

    probability: float = 0.5
    min_area: float = 0.02
    max_area: float = 0.4
    min_aspect: float = 0.3
    fill: Color | None = None
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, probability=(0.0, 1.0), max_area=(0.0, 1.0), min_aspect=(0.01, 1.0))
        refuse_outside(self, min_area=(0.0, self.max_area))
        if self.fill is not None:
            refuse_outside(self, fill=(0, 255))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Some images with a rectangle hidden; targets stay."""
        height, width = images.shape[1:3]
        draws = uniform(seeds, 3 + 2 * _ATTEMPTS)
        happens, place, tries = draws[:, 0], draws[:, 1:3], draws[:, 3:]
        area_draws, aspect_draws = tf.split(tries, 2, axis=1)
        area = (self.min_area + (self.max_area - self.min_area) * area_draws) * height * width
        aspect = self.min_aspect + (1 / self.min_aspect - self.min_aspect) * aspect_draws
        sides = tf.round(tf.stack([tf.sqrt(area * aspect), tf.sqrt(area / aspect)], axis=2))
        fits = tf.reduce_all(sides < [float(height), float(width)], axis=2)
        size = tf.gather(sides, tf.argmax(fits, axis=1), batch_dims=1)
        corner = tf.floor(place * ([height + 1.0, width + 1.0] - size))
        is_erased = (happens < self.probability) & tf.reduce_any(fits, axis=1)
        size = tf.where(is_erased[:, tf.newaxis], size, 0)
        begins, ends = tf.cast(corner, tf.int32), tf.cast(corner + size, tf.int32)
        is_hidden = box(begins, ends, height, width)
        if self.fill is not None:
            return painted(images, is_hidden, self.fill), targets
        noise = random_bytes(folded(seeds, 0), height * width * 3)
        noise = tf.cast(tf.reshape(noise, tf.shape(images)), images.dtype)
        return tf.where(is_hidden, noise, images), targets


@dataclass(frozen=True)
class HideAndSeek:
    """Each patch of a grid hidden with some probability; each image has its own grid.

    Singh et al. 2018, arXiv:1811.02545, sections 3.1 and 4: hidden pixels show the mean
    colour, and the size of the patches is drawn for each image.

    Attributes:
        patch_sizes: sides of the patches in pixels, from 0 to 4096, one drawn for each
            image; 0 hides nothing. Those by default are for 224-pixel images.
        probability: that a patch is hidden.
        fill: R, G, B, whole numbers 0–255.
    """

    patch_sizes: tuple[int, ...] = (0, 16, 32, 44, 56)
    probability: float = 0.5
    fill: Color = _IMAGENET_MEAN
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, patch_sizes=(0, 4096), probability=(0.0, 1.0), fill=(0, 255))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Images with patches hidden; targets stay."""
        height, width = images.shape[1:3]
        smallest = max(1, min((size for size in self.patch_sizes if size), default=1))
        rows, columns = math.ceil(height / smallest), math.ceil(width / smallest)
        draws = tf.cast(uniform(seeds, 1)[:, 0] * len(self.patch_sizes), tf.int32)
        sizes = tf.gather(tf.constant(self.patch_sizes), draws)[:, tf.newaxis]
        cells = uniform(folded(seeds, 0), rows * columns) < self.probability
        cells = tf.reshape(cells & (sizes > 0), [-1, rows, columns])
        sizes = tf.maximum(sizes, smallest)
        by_row = tf.gather(cells, tf.range(height) // sizes, batch_dims=1)
        is_hidden = tf.gather(by_row, tf.range(width) // sizes, axis=2, batch_dims=1)
        return painted(images, is_hidden[..., tf.newaxis], self.fill), targets


@dataclass(frozen=True)
class GridMask:
    """A lattice of equal squares hidden, of random period and place.

    Chen et al. 2020, arXiv:2001.04086, section 3.2. The paper lets the probability grow
    from 0 to 0.8 in the course of training and may turn the grid; we keep 0.8 and upright.

    Attributes:
        probability: share of the images that it happens to.
        min_period: least distance of the squares, as a share of the image's shorter side,
            from 0.01 to 4. The paper's 96 pixels of 224 are the default.
        max_period: greatest distance.
        ratio: width of the bars between the squares as a share of the period; a share of
            (1 - ratio)² of the pixels is hidden.
        fill: R, G, B, whole numbers 0–255.
    """

    probability: float = 0.8
    min_period: float = 96 / 224
    max_period: float = 1.0
    ratio: float = 0.6
    fill: Color = _IMAGENET_MEAN
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(
            self, probability=(0.0, 1.0), max_period=(0.01, 4.0), ratio=(0.0, 1.0), fill=(0, 255)
        )
        refuse_outside(self, min_period=(0.01, self.max_period))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Some images with a lattice of squares hidden; targets stay."""
        height, width = images.shape[1:3]
        shorter = min(height, width)
        draws = uniform(seeds, 4)
        span = self.max_period - self.min_period
        period = tf.round((self.min_period + span * draws[:, :1]) * shorter)
        period = tf.maximum(period, 1)
        bar = tf.round(period * self.ratio)
        in_square = [
            tf.math.floormod(tf.range(side, dtype=tf.float32) + tf.floor(draw * period), period)
            >= bar
            for side, draw in ((height, draws[:, 1:2]), (width, draws[:, 2:3]))
        ]
        happens = (draws[:, 3:] < self.probability)[:, :, tf.newaxis]
        is_hidden = in_square[0][:, :, tf.newaxis] & in_square[1][:, tf.newaxis] & happens
        return painted(images, is_hidden[..., tf.newaxis], self.fill), targets


def box(begins: tf.Tensor, ends: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Which pixels lie in a box, bool [B, height, width, 1].

    Args:
        begins: int32 [B, 2], its first row and column; may lie outside of the image.
        ends: int32 [B, 2], the row and column after its last.
        height: rows of the images.
        width: columns of the images.
    """
    rows, columns = (
        (tf.range(side) >= begins[:, axis : axis + 1]) & (tf.range(side) < ends[:, axis : axis + 1])
        for axis, side in enumerate((height, width))
    )
    return rows[:, :, tf.newaxis, tf.newaxis] & columns[:, tf.newaxis, :, tf.newaxis]


def painted(images: tf.Tensor, is_hidden: tf.Tensor, fill: Color) -> tf.Tensor:
    """The images with one colour over the hidden pixels, bool [B, H, W, 1]."""
    return tf.where(is_hidden, tf.constant(fill, images.dtype), images)
