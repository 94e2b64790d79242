"""AutoAugment and its successors: a few small operations, chosen anew for each image.

What each of them is: `levels.py` and `warping.py`. Here stand how they are chosen and how
strong they are. All of them work on whole levels: float32 images are rounded first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from hubcls.images.operations.autoaugment import find_policy
from hubcls.images.operations.chance import folded, uniform
from hubcls.images.operations.choosing import IDENTITY, Range, apply_chosen, codes_of, parameters
from hubcls.images.operations.levels import as_levels, each, rounded_to
from hubcls.images.operations.table import Batch, refuse_outside
from hubcls.images.operations.warping import WARPS

# Table 6 of AutoAugment's paper; its 150 pixels are of 331. Stronger means fewer bits and a
# lower threshold, as in the authors' code.
_AUTO_AUGMENT = {
    "shear_x": Range(0, 0.3, is_signed=True),
    "shear_y": Range(0, 0.3, is_signed=True),
    "translate_x": Range(0, 150 / 331, is_signed=True),
    "translate_y": Range(0, 150 / 331, is_signed=True),
    "rotate": Range(0, 30, is_signed=True),
    "posterize": Range(8, 4),
    "solarize": Range(256, 0),
    "brightness": Range(0.1, 1.9),
    "color": Range(0.1, 1.9),
    "contrast": Range(0.1, 1.9),
    "sharpness": Range(0.1, 1.9),
}
_ENHANCERS = ("brightness", "color", "contrast", "sharpness")
_LEVEL_OPERATIONS = ("autocontrast", "equalize", "posterize", "solarize")
_FOURTEEN = codes_of(("identity", *WARPS, *_LEVEL_OPERATIONS, *_ENHANCERS))
_AUG_MIX = codes_of((*WARPS, *_LEVEL_OPERATIONS))
_HIGHEST_MAGNITUDE = 10


@dataclass(frozen=True)
class AutoAugment:
    """One of the 25 sub-policies that a search found, drawn for each image.

    Cubuk et al. 2019, arXiv:1805.09501, section 3 and appendix A.

    Attributes:
        policy: the data set that was searched on: "imagenet", "cifar10" or "svhn".
    """

    policy: str = "imagenet"
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse a policy that nobody published.

        Raises:
            UnknownNameError: there is none of that name.
        """
        find_policy(self.policy)

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Two small operations an image, each with its own probability."""
        policy, draws = find_policy(self.policy), uniform(seeds, 5)
        levels, chosen = as_levels(images), _chosen(draws[:, 0], len(policy.codes))
        for step in range(2):
            codes, probabilities, strengths = (
                tf.gather(column[:, step], chosen)
                for column in (policy.codes, policy.probabilities, policy.strengths)
            )
            codes = tf.where(draws[:, 1 + step] < probabilities, codes, IDENTITY)
            values = parameters(_AUTO_AUGMENT, codes, strengths, draws[:, 3 + step])
            levels = apply_chosen(levels, codes, values)
        return tf.cast(levels, images.dtype), targets


@dataclass(frozen=True)
class RandAugment:
    """A few of 14 small operations, all of one strength, drawn for each image.

    Cubuk et al. 2020, arXiv:1909.13719, section 3; the defaults are the paper's for
    ResNet-50 on ImageNet.

    Attributes:
        magnitude: strength of every operation from 0 to 30; at 10 AutoAugment's ranges
            end. Fewer than 1 bit and a threshold below 0 there are not.
        num_operations: how many follow one another.
    """

    magnitude: float = 9
    num_operations: int = 2
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, magnitude=(0.0, 30.0), num_operations=(1, 14))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """`num_operations` small operations an image."""
        levels = as_levels(images)
        strengths = tf.fill(tf.shape(images)[:1], self.magnitude / _HIGHEST_MAGNITUDE)
        for step in range(self.num_operations):
            draws = uniform(folded(seeds, step), 2)
            codes = tf.gather(_FOURTEEN, _chosen(draws[:, 0], len(_FOURTEEN)))
            values = parameters(_AUTO_AUGMENT, codes, strengths, draws[:, 1])
            levels = apply_chosen(levels, codes, values)
        return tf.cast(levels, images.dtype), targets


@dataclass(frozen=True)
class TrivialAugmentWide:
    """One of 14 small operations at one of 31 strengths, drawn for each image.

    Müller and Hutter 2021, arXiv:2103.10158, section 3 and the "wide" column of table 1.
    """

    mixes_targets: ClassVar[bool] = False

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """One small operation an image."""
        draws = uniform(seeds, 3)
        codes = tf.gather(_FOURTEEN, _chosen(draws[:, 0], len(_FOURTEEN)))
        strengths = tf.cast(_chosen(draws[:, 1], 31), tf.float32) / 30
        values = parameters(_wide(*images.shape[1:3]), codes, strengths, draws[:, 2])
        levels = apply_chosen(as_levels(images), codes, values)
        return tf.cast(levels, images.dtype), targets


@dataclass(frozen=True)
class AugMix:
    """A mixture of the image and three chains of one to three small operations each.

    Hendrycks et al. 2020, arXiv:1912.02781, section 3, with equal chances for all mixtures
    (Dirichlet and Beta with coefficient 1), as there. The Jensen-Shannon consistency loss
    of the paper is no part of it.

    Attributes:
        severity: no operation is stronger, from 0.1 to 10; each draws its own strength.
        width: number of chains.
    """

    severity: float = 3
    width: int = 3
    mixes_targets: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse impossible numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        refuse_outside(self, severity=(0.1, 10.0), width=(1, 10))

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Three chains an image, blended with one another and then with the image."""
        draws = uniform(seeds, self.width + 1)
        levels = as_levels(images)
        # Exponential numbers over their sum are uniform among all weights of sum 1.
        exponential = -tf.math.log(1 - draws[:, :-1])
        share = draws[:, -1:]
        weights = share * exponential / tf.reduce_sum(exponential, axis=1, keepdims=True)
        chains = [self._chain(levels, folded(seeds, number)) for number in range(self.width)]
        mixed = tf.add_n(
            [
                each(weight) * tf.cast(pixels, tf.float32)
                for weight, pixels in zip(
                    [1 - share, *tf.unstack(weights, axis=1)], [levels, *chains], strict=True
                )
            ]
        )
        return rounded_to(mixed, images.dtype), targets

    def _chain(self, levels: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        draws = uniform(seeds, 10)
        length = 1 + _chosen(draws[:, 9], 3)
        for step in range(3):
            choice, strength, sign = tf.unstack(draws[:, step * 3 : step * 3 + 3], axis=1)
            codes = tf.gather(_AUG_MIX, _chosen(choice, len(_AUG_MIX)))
            codes = tf.where(step < length, codes, IDENTITY)
            strengths = (0.1 + (self.severity - 0.1) * strength) / _HIGHEST_MAGNITUDE
            levels = apply_chosen(
                levels, codes, parameters(_AUG_MIX_RANGES, codes, strengths, sign)
            )
        return levels


# As the authors' code has them, which is stricter with bits and moves by less.
_AUG_MIX_RANGES = {
    **_AUTO_AUGMENT,
    "translate_x": Range(0, 1 / 3, is_signed=True),
    "translate_y": Range(0, 1 / 3, is_signed=True),
    "posterize": Range(4, 0),
}


def _wide(height: int, width: int) -> Mapping[str, Range]:
    """TrivialAugment's ranges; a picture is moved by 32 pixels at most, whatever its size."""
    return {
        "shear_x": Range(0, 0.99, is_signed=True),
        "shear_y": Range(0, 0.99, is_signed=True),
        "translate_x": Range(0, 32 / width, is_signed=True),
        "translate_y": Range(0, 32 / height, is_signed=True),
        "rotate": Range(0, 135, is_signed=True),
        "posterize": Range(8, 2),
        "solarize": Range(256, 0),
        **dict.fromkeys(_ENHANCERS, Range(0.01, 2.0)),
    }


def _chosen(draws: tf.Tensor, count: int) -> tf.Tensor:
    """Numbers in [0, 1) → whole numbers in [0, count), int32."""
    return tf.cast(draws * count, tf.int32)
