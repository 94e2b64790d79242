"""Batches of images for training, evaluation and prediction, as tf.data streams."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from hubcls.datasets.base import Split
from hubcls.errors import ConfigError, DataError, UnreadableImagesError
from hubcls.images.augmenting import Augmentation, operated
from hubcls.images.decoding import ImageFile, RGBArray, inspect, to_rgb_array
from hubcls.images.operations.table import Operation
from hubcls.pipeline.sources import FileSource, ImageSource, MixedSource, on_host, source_of
from hubcls.preprocessing import Preprocessing
from hubcls.seeding import derived_seed

OneImage = str | os.PathLike[str] | np.ndarray | Image.Image
CheckFile = Callable[[str], ImageFile]

# tf.random.experimental.index_shuffle is not random enough (TensorFlow 2.21). Its cipher
# runs 4 rounds, after which a few orders in a thousand are nearly sorted: where files are
# listed class by class, class counts of a batch then vary 2 to 9 times as much as they
# should. And it reads 8 bits of each seed word, so that epochs 0 and 256 have the same
# order. We call the same operation with 8 rounds, where none of 2,000 orders stood out,
# and with three drawn words.
_SHUFFLE_ROUNDS = 8


@dataclass(frozen=True, eq=False)
class TrainingStream:
    """Training batches that are addressed by number, so that a run resumes anywhere.

    Batch k depends on `seed` and k alone. Every epoch is an order of its own; its last
    batch is filled up from the beginning of that order, so each batch has the same size
    and each image comes at least once, unless the augmentation repeats images: then each
    batch goes through its own images as often, and an epoch ends before the order does.

    Attributes:
        split: the training examples.
        num_classes: labels are 0 … num_classes - 1, or rows of as many; 0 for images that
            nobody has labelled.
        preprocessing: what every image goes through.
        batch_size: images in a batch, over all devices together.
        augmentation: what is changed at random; None shows images as evaluation does.
        seed: of the order and the augmentation.
        taught: a teacher's logits for each image, float32 [N, num_classes], which then
            stand behind its target. An image whose label is -1 has a target of zeros.
    """

    split: Split
    num_classes: int
    preprocessing: Preprocessing
    batch_size: int
    augmentation: Augmentation | None
    seed: int
    taught: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse what no epoch can be made of.

        Raises:
            ConfigError: batch_size is below 1, or below the augmentation's `repeats`.
            DataError: there are no examples, or a label is out of range.
        """
        _check_batch_size(self.batch_size)
        if self._repeats > self.batch_size:
            raise ConfigError(
                f"an image cannot stand {self._repeats} times in a batch of {self.batch_size}; "
                "lower the augmentation's repeats, or raise the batch size"
            )
        labels = self.split.labels
        if len(labels) == 0:
            raise DataError("there are no training images; training needs at least one")
        if self.split.is_multi_label and labels.shape[1] != self.num_classes:
            raise DataError(f"labels must be [N, {self.num_classes}], not {list(labels.shape)}")
        highest = 1 if self.split.is_multi_label else self.num_classes - 1
        if labels.size and not -1 <= labels.min() <= labels.max() <= highest:
            raise DataError(f"labels must be 0 … {highest}, not {labels.min()} … {labels.max()}")

    @property
    def steps_per_epoch(self) -> int:
        """Batches that have room for every image once."""
        return -(-len(self.split) // self.batch_size)

    def batches(self, start_step: int, num_steps: int) -> tf.data.Dataset:
        """Batches `start_step` to `start_step + num_steps`, counted from the run's start.

        Args:
            start_step: epoch times steps_per_epoch plus the step within the epoch.
            num_steps: how many; the stream may go on into later epochs.

        Returns:
            `num_steps` pairs of images, uint8 [B, height, width, 3], and targets, float32
            [B, target_size]: 1 for every class that an image shows where no operation
            mixes them.

        Raises:
            ConfigError: a number is negative.
        """
        if start_step < 0 or num_steps < 0:
            raise ConfigError(
                f"start_step and num_steps must be 0 or more, not {start_step} and {num_steps}"
            )
        first, last = (step * self.batch_size for step in (start_step, start_step + num_steps))
        places = tf.data.Dataset.range(first, last)
        batches = _mapped(places, self._traced_example).batch(self.batch_size, drop_remainder=True)
        if self._operations:
            of_batch = places.batch(self.batch_size, drop_remainder=True)
            batches = _mapped(tf.data.Dataset.zip((batches, of_batch)), self._traced_operations)
        return _finished(batches)

    def _example(self, position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The image and target at a place of the run, counted in images; int64 []."""
        step, row = position // self.batch_size, position % self.batch_size
        epoch, step = step // self.steps_per_epoch, step % self.steps_per_epoch
        # One copy of all of a batch's images, then the next: operations that mix neighbours
        # mix different images, and several devices have different copies.
        distinct = -(-self.batch_size // self._repeats)
        place, copy = step * distinct + row % distinct, row // distinct
        index = self._shuffled(place % len(self.split), epoch)
        label = self._labels[index]
        if self.split.is_multi_label:
            target = tf.cast(label, tf.float32)
        else:
            target = tf.one_hot(label, self.num_classes, dtype=tf.float32)
        if self._taught is not None:
            target = tf.concat([target, self._taught[index]], axis=0)
        if self.augmentation is None:
            return self._source.load(index), target
        copy_of_image = index + copy * len(self.split)
        seed = tf.stack([derived_seed(self.seed, "augmentation") + epoch, copy_of_image])
        return self._source.load_augmented(index, self.augmentation, seed), target

    @functools.cached_property
    def _traced_example(self) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """`_example` as a graph that every call of `batches` shares."""
        place = tf.TensorSpec([], tf.int64)
        traced = tf.function(self._example, input_signature=[place], autograph=False)
        return cast("Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]", traced)

    def _operated(
        self, batch: tuple[tf.Tensor, tf.Tensor], places: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """A batch after the operations; an image's chance is that of its place in the run."""
        purpose = tf.zeros_like(places) + derived_seed(self.seed, "operations")
        return operated(self._operations, *batch, tf.stack([purpose, places], axis=1))

    @property
    def _repeats(self) -> int:
        return 1 if self.augmentation is None else self.augmentation.repeats

    @property
    def _operations(self) -> tuple[Operation, ...]:
        return () if self.augmentation is None else self.augmentation.operations

    @functools.cached_property
    def _traced_operations(self) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        """`_operated` as a graph that every call of `batches` shares."""
        size, height, width = self.batch_size, self.preprocessing.height, self.preprocessing.width
        images = tf.TensorSpec([size, height, width, 3], tf.uint8)
        targets = tf.TensorSpec([size, self.target_size], tf.float32)
        places = tf.TensorSpec([size], tf.int64)
        signature = [(images, targets), places]
        traced = tf.function(self._operated, input_signature=signature, autograph=False)
        return cast("Callable[..., tuple[tf.Tensor, tf.Tensor]]", traced)

    def _shuffled(self, place: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        epoch_seed = tf.stack([derived_seed(self.seed, "order"), epoch])
        key = tf.random.stateless_uniform([3], epoch_seed, None, None, tf.int64)
        last = tf.constant(len(self.split) - 1, tf.int64)
        return tf.raw_ops.RandomIndexShuffle(
            index=place, seed=key, max_index=last, rounds=_SHUFFLE_ROUNDS
        )

    @functools.cached_property
    def _source(self) -> ImageSource:
        return source_of(self.split, self.preprocessing)

    @property
    def target_size(self) -> int:
        """Numbers in the target of one image."""
        return self.num_classes * (1 if self.taught is None else 2)

    @functools.cached_property
    def _taught(self) -> tf.Tensor | None:
        return None if self.taught is None else on_host(self.taught, tf.float32)

    @functools.cached_property
    def _labels(self) -> tf.Tensor:
        return on_host(self.split.labels, tf.int64)


def evaluation_batches(
    split: Split, preprocessing: Preprocessing, *, batch_size: int
) -> tf.data.Dataset:
    """The images of a split in order, uint8 [batch_size, height, width, 3].

    The last batch is filled up with copies of the last image: cut predictions to
    `len(split)`.

    Args:
        split: the examples; labels are not read.
        preprocessing: what every image goes through.
        batch_size: images in every batch.

    Raises:
        ConfigError: batch_size is below 1.
    """
    source = source_of(split, preprocessing)
    return _filled_batches(source.load, len(split), batch_size)


def image_batches(
    images: Sequence[OneImage],
    preprocessing: Preprocessing,
    batch_size: int,
    *,
    check: CheckFile = inspect,
) -> tuple[tf.data.Dataset, int]:
    """Images of any kind and size in order, uint8 [batch_size, height, width, 3].

    Files are checked first and read again when their batch comes; images in memory stay
    there. The last batch is filled up with copies of the last image.

    Args:
        images: paths, arrays and Pillow images, mixed; see `hubcls.images.to_rgb_array`
            for what an array may be.
        preprocessing: what every image goes through.
        batch_size: images in every batch.
        check: `inspect`, or `glance`, which decodes nothing: a file that is damaged inside
            then stops the stream with TensorFlow's error.

    Returns:
        The batches, and the number of images to cut predictions to.

    Raises:
        UnreadableImagesError: some images cannot be read; lists all that `check` found.
        ConfigError: batch_size is below 1.
    """
    checked = checked_images(images, check)
    files = FileSource(
        [found.path if isinstance(found, ImageFile) else "" for found in checked],
        np.array([isinstance(found, ImageFile) and found.needs_pillow for found in checked]),
        preprocessing,
    )
    arrays = [found if isinstance(found, np.ndarray) else None for found in checked]
    source = MixedSource(files, arrays, preprocessing)
    return _filled_batches(source.load, len(images), batch_size), len(images)


def checked_images(images: Sequence[OneImage], check: CheckFile) -> list[ImageFile | RGBArray]:
    """Files as `check` found them, and images in memory as RGB, in order.

    Raises:
        UnreadableImagesError: some images cannot be read; lists all that `check` found.
    """
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(functools.partial(_check_image, check=check), images))
    failures = [
        (_name_of(image, place), verdict)
        for place, (image, verdict) in enumerate(zip(images, found, strict=True))
        if isinstance(verdict, str)
    ]
    if failures:
        raise UnreadableImagesError(failures)
    return [verdict for verdict in found if not isinstance(verdict, str)]


def _check_image(image: OneImage, check: CheckFile) -> ImageFile | RGBArray | str:
    """The file checked, the image in memory as RGB, or the fault found."""
    try:
        if isinstance(image, np.ndarray | Image.Image):
            return to_rgb_array(image)
        return check(os.fspath(image))
    except DataError as error:
        return str(error)


def _name_of(image: OneImage, place: int) -> str:
    if isinstance(image, np.ndarray | Image.Image):
        return f"image number {place} (in memory)"
    return os.fspath(image)


def _filled_batches(
    load: Callable[[tf.Tensor], tf.Tensor], count: int, batch_size: int
) -> tf.data.Dataset:
    _check_batch_size(batch_size)

    def filled(images: tf.Tensor) -> tf.Tensor:
        missing = batch_size - tf.shape(images)[0]
        full = tf.cond(
            missing > 0,
            lambda: tf.concat([images, tf.repeat(images[-1:], missing, axis=0)], axis=0),
            lambda: images,
        )
        return tf.ensure_shape(full, [batch_size, *images.shape[1:]])

    batches = _mapped(tf.data.Dataset.range(count), load).batch(batch_size)
    return _finished(_mapped(batches, filled))


def _mapped(dataset: tf.data.Dataset, function: Callable[..., object]) -> tf.data.Dataset:
    return dataset.map(
        tf.autograph.experimental.do_not_convert(function),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _finished(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Between machines each takes its part of every batch; there are no files to share out.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options).prefetch(tf.data.AUTOTUNE)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError(f"batch_size must be 1 or more, not {batch_size!r}")
