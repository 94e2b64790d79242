"""Small changes of a photo's position and colours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from hubcls.images.operations.chance import uniform
from hubcls.images.operations.levels import rounded_to
from hubcls.images.operations.table import Batch, refuse_outside

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601-2
# Rows: Y, I and Q of R, G, B (NTSC); those of I and Q sum to 0, so that grey has none.
_YIQ = np.array([_LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)


@dataclass(frozen=True)
class Rotation:
    """Each image turned around its centre; corners are filled by reflection.

    Attributes:
        degrees: the greatest angle to either side, from 0 to 180.
    """

    degrees: float = 10
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible angles.

        Raises:
            ConfigError: the angle is out of range.
        """
        refuse_outside(self, degrees=(0.0, 180.0))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Images turned by angles of their own, bilinearly; targets stay."""
        angles = (uniform(seeds, 1)[:, 0] * 2 - 1) * math.radians(self.degrees)
        return rotated(images, angles), targets


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue moved a little, in this order.

    The first three are those of `PIL.ImageEnhance`. All four are linear in R, G and B (the
    hue is turned in YIQ, around the grey axis), so that one matrix an image does it all,
    and levels are clipped once, at the end.

    Attributes:
        brightness: factors lie between 1 - brightness and 1 + brightness; from 0 to 1.
        contrast: likewise.
        saturation: likewise.
        hue: the greatest turn to either side, in circles, from 0 to 0.5.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        unit = (0.0, 1.0)
        refuse_outside(self, brightness=unit, contrast=unit, saturation=unit, hue=(0.0, 0.5))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Images in other colours; targets stay."""
        ranges = [self.brightness, self.contrast, self.saturation, self.hue]
        moves = (uniform(seeds, 4) * 2 - 1) * ranges
        brightness, contrast, saturation = tf.unstack(1 + moves[:, :3], axis=1)
        angle = 2 * math.pi * moves[:, 3]
        height, width = images.shape[1:3]
        rows = tf.reshape(tf.cast(images, tf.float32), [-1, height, width * 3])
        # Row by row: sums of three numbers at a time take twice as long.
        means = tf.reduce_mean(tf.reshape(tf.reduce_mean(rows, axis=1), [-1, width, 3]), axis=1)
        mean_grey = tf.reduce_sum(means * _LUMA, axis=1)
        pixels = tf.reshape(rows, [-1, height * width, 3])
        matrix = tf.matmul(_saturating(saturation), _turning(angle))
        matrix *= tf.reshape(brightness * contrast, [-1, 1, 1])
        # Greys pass through the matrix unchanged: what contrast adds can be added at the end.
        added = (1 - contrast) * brightness * mean_grey
        moved = tf.matmul(pixels, matrix) + tf.reshape(added, [-1, 1, 1])
        return rounded_to(tf.reshape(moved, tf.shape(images)), images.dtype), targets


def rotated(images: tf.Tensor, angles: tf.Tensor) -> tf.Tensor:
    """Each image turned counter-clockwise by its angle in radians, float32 [B]."""
    middle_y, middle_x = ((side - 1) / 2 for side in images.shape[1:3])
    cosine, sine = tf.cos(angles), tf.sin(angles)
    zero = tf.zeros_like(angles)
    across = [cosine, -sine, middle_x - cosine * middle_x + sine * middle_y]
    down = [sine, cosine, middle_y - sine * middle_x - cosine * middle_y]
    turned = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([*across, *down, zero, zero], axis=1),
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return rounded_to(turned, images.dtype)


def _saturating(factors: tf.Tensor) -> tf.Tensor:
    """[B, 3, 3]; rows of R, G, B times it are more or less colourful."""
    share = tf.reshape(factors, [-1, 1, 1])
    return share * np.eye(3, dtype=np.float32) + (1 - share) * np.repeat(_LUMA[:, None], 3, axis=1)


def _turning(angles: tf.Tensor) -> tf.Tensor:
    """[B, 3, 3]; rows of R, G, B times it have their hue turned."""
    cosine, sine, zero = tf.cos(angles), tf.sin(angles), tf.zeros_like(angles)
    one = tf.ones_like(angles)
    turn = tf.reshape(
        tf.stack([one, zero, zero, zero, cosine, sine, zero, -sine, cosine], axis=1), [-1, 3, 3]
    )
    back = tf.constant(np.linalg.inv(_YIQ))
    return tf.linalg.matrix_transpose(tf.matmul(tf.matmul(back, turn), tf.constant(_YIQ)))
