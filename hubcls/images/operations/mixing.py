"""Each image mixed with the next one of its batch (the last with the first), targets too.

The shares are drawn for each image, where the authors' codes draw one for a batch. A batch
of one image stays as it is. Targets are mixed in proportion, be they one-hot rows or those
of several labels an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from hubcls.images.operations.chance import uniform
from hubcls.images.operations.erasing import box
from hubcls.images.operations.levels import each, rounded_to
from hubcls.images.operations.table import Batch, refuse_outside


@dataclass(frozen=True)
class Mixup:
    """A weighted mean of two images, and of their targets.

    Zhang et al. 2018, arXiv:1710.09412, section 2.

    Attributes:
        alpha: the weight is drawn from Beta(alpha, alpha), from 0.01 to 100: small values
            leave most images nearly alone, 1 makes all weights alike.
        probability: share of the images that it happens to.
    """

    alpha: float = 0.2
    probability: float = 1.0
    mixes_targets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, alpha=(0.01, 100.0), probability=(0.0, 1.0))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Images and targets, each row a mixture with the next."""
        draws = uniform(seeds, 3)
        kept = symmetric_beta(draws[:, :2], self.alpha)
        kept = tf.where(draws[:, 2] < self.probability, kept, 1)
        own, others = (tf.cast(given, tf.float32) for given in (images, _next(images)))
        mixed = others + each(kept) * (own - others)
        return rounded_to(mixed, images.dtype), _blended(targets, kept)


@dataclass(frozen=True)
class CutMix:
    """A box of each image replaced by the next one's pixels; targets are mixed by area.

    Yun et al. 2019, arXiv:1905.04899, section 3.1. The box is cut off at the border, as in
    the authors' code, and the targets follow the area that is left.

    Attributes:
        alpha: the area kept is drawn from Beta(alpha, alpha), from 0.01 to 100.
        probability: share of the images that it happens to.
    """

    alpha: float = 1.0
    probability: float = 1.0
    mixes_targets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, alpha=(0.01, 100.0), probability=(0.0, 1.0))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Images with a box of the next, and targets by area."""
        height, width = images.shape[1:3]
        sides = tf.constant([height, width], tf.float32)
        draws = uniform(seeds, 5)
        kept = symmetric_beta(draws[:, :2], self.alpha)
        kept = tf.where(draws[:, 4] < self.probability, kept, 1)
        half = tf.cast(tf.sqrt(1 - kept)[:, tf.newaxis] * sides, tf.int32) // 2
        middle = tf.cast(draws[:, 2:4] * sides, tf.int32)
        is_pasted = box(middle - half, middle + half, height, width)
        pasted_share = tf.reduce_mean(tf.cast(is_pasted, tf.float32), axis=[1, 2, 3])
        mixed = tf.where(is_pasted, _next(images), images)
        return mixed, _blended(targets, 1 - pasted_share)


def symmetric_beta(draws: tf.Tensor, alpha: float) -> tf.Tensor:
    """Numbers from Beta(alpha, alpha), float32 [B].

    If T is Student's with 2 alpha degrees of freedom, T / sqrt(2 alpha + T²) is 2 X - 1
    with X from this distribution; Bailey's polar formula (1994, Mathematics of Computation
    62, 779–781) gives T from two uniform numbers. We simplified the fraction, so that
    nothing overflows.

    Args:
        draws: float32 [B, 2] in [0, 1).
        alpha: above 0.
    """
    power = tf.pow(1 - draws[:, 0], 1 / alpha)
    cosine = tf.cos(2 * math.pi * draws[:, 1])
    spread = tf.sqrt(power + cosine**2 * (1 - power))
    centred = tf.math.divide_no_nan(cosine * tf.sqrt(1 - power), spread)
    return 0.5 + 0.5 * tf.clip_by_value(centred, -1, 1)


def _next(rows: tf.Tensor) -> tf.Tensor:
    return tf.roll(rows, -1, axis=0)


def _blended(targets: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    share = kept[:, tf.newaxis]
    return share * targets + (1 - share) * _next(targets)
