"""Random crops and flips for training; the same seed gives the same pixels.

These two are done image by image, while a file is decoded, for a crop then decodes little
more than it keeps. Whatever else is wanted is done batch by batch: `operations/`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.images.graph_decoding import ChooseWindow, cut, decode_window
from hubcls.images.operations.chance import folded, uniform
from hubcls.images.operations.table import (
    Batch,
    Operation,
    fields_of,
    looked_up,
)
from hubcls.images.resizing import aligned, centred_window, load, resize, stretch
from hubcls.preprocessing import Interpolation, Preprocessing

_ATTEMPTS = 10
_NUM_DRAWS = 2 * _ATTEMPTS + 3


@dataclass(frozen=True)
class Augmentation:
    """What training changes at random in every image.

    Attributes:
        horizontal_flip: mirror every second image.
        min_area: least share of the picture's area that a random crop keeps, in (0, 1];
            1.0 means no random crop: the image is then resized as in evaluation.
        min_aspect: least width-to-height ratio of a crop, relative to the network's input
            (to the whole picture where the module stretches pictures).
        max_aspect: greatest such ratio.
        operations: what is then done to whole batches, in this order; a name or a mapping
            of "name" and arguments stands for the operation of the table.
        repeats: how often an image stands in its batch, each time changed otherwise: Hoffer
            et al. 2020, arXiv:1901.09335. An epoch keeps its number of steps, as DeiT's
            sampler has it, and so shows one image of `repeats`, drawn anew each time.
        interpolation: how the pixels of random crops are resampled, "bilinear" or "bicubic";
            sides that shrink to half or less are averaged, as in evaluation. Bilinear is
            quicker, and crops differ more among themselves than the two ways do.
    """

    horizontal_flip: bool = True
    min_area: float = 0.35
    min_aspect: float = 3 / 4
    max_aspect: float = 4 / 3
    operations: tuple[Operation, ...] = ()
    repeats: int = 1
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Refuse ranges that hold no crop, and look up operations that are named.

        Raises:
            ConfigError: any value is out of range; lists all of them.
        """
        operations, wrong = looked_up(self.operations)
        object.__setattr__(self, "operations", operations)
        if not 0 < self.min_area <= 1:
            wrong.append(f"min_area must be in (0, 1], not {self.min_area!r}")
        if not 0 < self.min_aspect <= self.max_aspect:
            wrong.append(
                "min_aspect must be above 0 and at most max_aspect, "
                f"not {self.min_aspect!r} and {self.max_aspect!r}"
            )
        if self.interpolation not in get_args(Interpolation):
            names = " or ".join(get_args(Interpolation))
            wrong.append(f"interpolation must be {names}, not {self.interpolation!r}")
        if isinstance(self.repeats, bool) or not isinstance(self.repeats, int) or self.repeats < 1:
            wrong.append(f"repeats must be a whole number of at least 1, not {self.repeats!r}")
        elif self.repeats > 1 and not (self.horizontal_flip or self.min_area < 1 or operations):
            wrong.append("repeats would show copies that are alike; add a random change")
        if wrong:
            raise ConfigError("augmentation is wrong:\n  " + "\n  ".join(wrong))

    @property
    def mixes_targets(self) -> bool:
        """Whether an image may come to be of several classes in part."""
        return any(each.mixes_targets for each in self.operations)

    def as_dict(self) -> dict[str, Any]:
        """Every setting as plain YAML types."""
        return fields_of(self)


def draws(seeds: tf.Tensor) -> tf.Tensor:
    """The chance of each image's crop and flip, float32 [B, D] in [0, 1).

    Drawn for a whole batch at once; a row depends on its own seed alone.

    Args:
        seeds: int [B, 2].
    """
    return uniform(seeds, _NUM_DRAWS)


def load_augmented(
    path: tf.Tensor,
    needs_pillow: tf.Tensor | bool,
    *,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    drawn: tf.Tensor,
) -> tf.Tensor:
    """`augment` of the file's picture, decoding little more of a JPEG than is used.

    Args:
        path: string [].
        needs_pillow: bool [], as `inspect` found.
        preprocessing: size and resize rule are read; where nothing is cropped, the rest too.
        augmentation: what to change.
        drawn: a row of `draws`.

    Returns:
        uint8 [height, width, 3]; as different from `augment` as `load` is from `resize`.
    """

    def cropped(choose: ChooseWindow) -> tf.Tensor:
        window, halvings = decode_window(path, needs_pillow, choose)
        return stretch(window, _of_crops(preprocessing, augmentation), halvings)

    return _augmented(
        lambda: load(path, needs_pillow, preprocessing),
        cropped,
        preprocessing=preprocessing,
        augmentation=augmentation,
        drawn=drawn,
    )


def augment(
    image: tf.Tensor,
    preprocessing: Preprocessing,
    *,
    augmentation: Augmentation,
    drawn: tf.Tensor,
) -> tf.Tensor:
    """A random crop of the image, stretched to the input size, then perhaps mirrored.

    Args:
        image: uint8 [H, W, 3], RGB.
        preprocessing: size and resize rule are read; where nothing is cropped, the rest too.
        augmentation: what to change.
        drawn: a row of `draws`.

    Returns:
        uint8 [height, width, 3].
    """
    return _augmented(
        lambda: resize(image, preprocessing),
        lambda choose: stretch(cut(image, choose), _of_crops(preprocessing, augmentation)),
        preprocessing=preprocessing,
        augmentation=augmentation,
        drawn=drawn,
    )


def operated(
    operations: Sequence[Operation], images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor
) -> Batch:
    """A batch after all of the operations.

    Args:
        operations: done in this order, each with chance of its own.
        images: uint8 or float32 [B, H, W, 3], RGB, 0–255.
        targets: float32 [B, C].
        seeds: int64 [B, 2], one an image.

    Returns:
        Images and targets, shapes and dtypes as given.
    """
    for place, change in enumerate(operations):
        images, targets = change(images, targets, folded(seeds, place))
    return images, targets


def random_window(
    size: tf.Tensor, *, preprocessing: Preprocessing, augmentation: Augmentation, drawn: tf.Tensor
) -> tf.Tensor:
    """A window of random area, aspect ratio and place: int32 [4], top, left, height, width.

    Szegedy et al. 2015, arXiv:1409.4842, section 6, as torchvision draws it: area uniform,
    aspect ratio uniform in its logarithm, ten attempts. When none fits we take the largest
    centred window of the input's aspect ratio.

    Args:
        size: int32 [2], the picture's height and width.
        preprocessing: the input's size and the resize rule are read.
        augmentation: the ranges.
        drawn: a row of `draws`.
    """
    height, width = tf.unstack(tf.cast(size, tf.float32))
    input_aspect = preprocessing.width / preprocessing.height
    usual_aspect = width / height if preprocessing.resize == "stretch" else input_aspect
    area_draw, aspect_draw = drawn[:_ATTEMPTS], drawn[_ATTEMPTS : 2 * _ATTEMPTS]
    area = height * width * (augmentation.min_area + (1 - augmentation.min_area) * area_draw)
    lowest, highest = math.log(augmentation.min_aspect), math.log(augmentation.max_aspect)
    aspect = usual_aspect * tf.exp(lowest + (highest - lowest) * aspect_draw)
    sides = tf.sqrt(tf.stack([area / aspect, area * aspect], axis=1))
    sides = tf.maximum(tf.cast(tf.round(sides), tf.int32), 1)
    fits = tf.reduce_all(sides <= size, axis=1)
    attempt = sides[tf.argmax(fits)]
    room = tf.cast(size - attempt + 1, tf.float32)
    # A draw just below 1 times the room may round up to the room itself.
    corner = tf.minimum(tf.cast(drawn[-3:-1] * room, tf.int32), size - attempt)
    return tf.cond(
        tf.reduce_any(fits),
        lambda: tf.concat([corner, attempt], axis=0),
        lambda: centred_window(size, aspect=input_aspect, fraction=1.0),
    )


def _of_crops(preprocessing: Preprocessing, augmentation: Augmentation) -> Preprocessing:
    return preprocessing.replaced(interpolation=augmentation.interpolation)


def _augmented(
    as_in_evaluation: Callable[[], tf.Tensor],
    cropped: Callable[[ChooseWindow], tf.Tensor],
    *,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    drawn: tf.Tensor,
) -> tf.Tensor:
    wanted = tf.constant([preprocessing.height, preprocessing.width])

    def choose(size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        window = random_window(
            size, preprocessing=preprocessing, augmentation=augmentation, drawn=drawn
        )
        return aligned(window, wanted)

    image = as_in_evaluation() if augmentation.min_area == 1.0 else cropped(choose)
    if not augmentation.horizontal_flip:
        return image
    return tf.cond(drawn[-1] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)
