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
from hubcls.images.augmenting import Augmentation, draws, operated
from hubcls.images.decoding import ImageFile, RGBArray, inspect, to_rgb_array
from hubcls.images.operations.table import Operation
from hubcls.pipeline.decoded import DecodedSource
from hubcls.pipeline.sources import (
    FeatureSource,
    FileSource,
    ImageSource,
    MixedSource,
    on_host,
    source_of,
)
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
_Graph = Callable[..., object]
# Made ready ahead of a network that does not train.
_PASS_BATCHES = 2


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
        features: shown in the place of the images, a view of each drawn anew every epoch.
        decoded_cache: image files are decoded and shrunk once and kept on disk
            (`hubcls.pipeline.decoded`), before the first batch.
        memory_limit_mb: what tf.data may plan for buffers of images and batches.
    """

    split: Split
    num_classes: int
    preprocessing: Preprocessing
    batch_size: int
    augmentation: Augmentation | None
    seed: int
    taught: npt.NDArray[np.float32] | None = None
    features: FeatureSource | None = None
    decoded_cache: bool = False
    memory_limit_mb: int = 1024

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
        steps = tf.data.Dataset.range(start_step, start_step + num_steps)
        if self.features is not None:
            return _finished(_mapped(steps, self._featured), self.memory_limit_mb)
        images = _mapped(_mapped(steps, self._traced_drawn).unbatch(), self._traced_image)
        batches = tf.data.Dataset.zip((images.batch(self.batch_size, drop_remainder=True), steps))
        return _finished(_mapped(batches, self._traced_batch), self.memory_limit_mb)

    def _places(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What stands in a batch: images' numbers and copies, int64 [B]; and the epoch."""
        row = tf.range(self.batch_size, dtype=tf.int64)
        epoch, step = step // self.steps_per_epoch, step % self.steps_per_epoch
        # One copy of all of a batch's images, then the next: operations that mix neighbours
        # mix different images, and several devices have different copies.
        distinct = -(-self.batch_size // self._repeats)
        place, copy = step * distinct + row % distinct, row // distinct
        return self._shuffled(place % len(self.split), epoch), copy, epoch

    def _targets(self, index: tf.Tensor) -> tf.Tensor:
        """The targets of images by number, int64 [B]."""
        labels = tf.gather(self._labels, index)
        if self.split.is_multi_label:
            targets = tf.cast(labels, tf.float32)
        else:
            targets = tf.one_hot(labels, self.num_classes, dtype=tf.float32)
        if self._taught is not None:
            targets = tf.concat([targets, tf.gather(self._taught, index)], axis=1)
        return targets

    def _featured(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A batch's features and targets."""
        if self.features is None:
            raise AssertionError("only a stream of features draws views")
        index, copy, epoch = self._places(step)
        # Each epoch goes on to the next view of an image, whose first one is its own.
        views = (index + epoch * self._repeats + copy) % self.features.num_views
        return self.features.load(index, views), self._targets(index)

    def _drawn(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The images of a batch by number, int64 [B], and the chance of each, float32 [B, D]."""
        index, copy, epoch = self._places(step)
        purpose = tf.zeros_like(index) + derived_seed(self.seed, "augmentation") + epoch
        return index, draws(tf.stack([purpose, index + copy * len(self.split)], axis=1))

    def _image(self, index: tf.Tensor, drawn: tf.Tensor) -> tf.Tensor:
        if self.augmentation is None:
            return self._source.load(index)
        return self._source.load_augmented(index, self.augmentation, drawn)

    def _batch(self, images: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A batch's images after the operations, and its targets."""
        index, _, _ = self._places(step)
        targets = self._targets(index)
        if not self._operations:
            return images, targets
        places = step * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
        # Chance is that of an image's place in the run.
        purpose = tf.zeros_like(places) + derived_seed(self.seed, "operations")
        return operated(self._operations, images, targets, tf.stack([purpose, places], axis=1))

    # Graphs that every call of `batches` shares.
    @functools.cached_property
    def _traced_drawn(self) -> _Graph:
        return _traced(self._drawn, tf.TensorSpec([], tf.int64))

    @functools.cached_property
    def _traced_image(self) -> _Graph:
        _ = self._source  # made here: inside a graph it could not read what it has kept
        drawn = draws(tf.zeros([1, 2], tf.int64))[0]
        return _traced(self._image, tf.TensorSpec([], tf.int64), tf.TensorSpec.from_tensor(drawn))

    @functools.cached_property
    def _traced_batch(self) -> _Graph:
        size = [self.batch_size, self.preprocessing.height, self.preprocessing.width, 3]
        return _traced(self._batch, tf.TensorSpec(size, tf.uint8), tf.TensorSpec([], tf.int64))

    @property
    def _repeats(self) -> int:
        return 1 if self.augmentation is None else self.augmentation.repeats

    @property
    def _operations(self) -> tuple[Operation, ...]:
        return () if self.augmentation is None else self.augmentation.operations

    def _shuffled(self, place: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        epoch_seed = tf.stack([derived_seed(self.seed, "order"), epoch])
        key = tf.random.stateless_uniform([3], epoch_seed, None, None, tf.int64)
        last = tf.constant(len(self.split) - 1, tf.int64)
        return tf.raw_ops.RandomIndexShuffle(
            index=place, seed=key, max_index=last, rounds=_SHUFFLE_ROUNDS
        )

    @functools.cached_property
    def _source(self) -> ImageSource:
        if self.decoded_cache and isinstance(self.split.images, tuple):
            return DecodedSource(self.split, self.preprocessing, self.augmentation)
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
    return _passed(_filled_batches(source.load, len(split), batch_size))


def view_batches(
    split: Split,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    seeds: npt.NDArray[np.int64],
    batch_size: int,
) -> tf.data.Dataset:
    """The images of a split in order, each changed at random as its own seed decides.

    Args:
        split: the examples; labels are not read.
        preprocessing: what every image goes through.
        augmentation: what is changed; its operations mix no images.
        seeds: int64 [N, 2].
        batch_size: images in every batch; the last is filled up as by `evaluation_batches`.

    Returns:
        Batches uint8 [batch_size, height, width, 3].

    Raises:
        ConfigError: batch_size is below 1.
    """
    source, held = source_of(split, preprocessing), on_host(seeds, tf.int64)
    last = len(split) - 1

    def load(index: tf.Tensor) -> tf.Tensor:
        return source.load_augmented(index, augmentation, draws(held[index][None])[0])

    def change(images: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(held, tf.minimum(numbers, last))
        return operated(augmentation.operations, images, tf.zeros([batch_size, 1]), chosen)[0]

    batches = _filled_batches(load, len(split), batch_size)
    if augmentation.operations:
        numbers = tf.data.Dataset.range(len(batches) * batch_size).batch(batch_size)
        batches = _mapped(tf.data.Dataset.zip((batches, numbers)), change)
    return _passed(batches)


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
    batches = _filled_batches(source.load, len(images), batch_size)
    return _passed(batches), len(images)


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

    is_full = count % batch_size == 0
    images = _mapped(tf.data.Dataset.range(count), load)
    batches = images.batch(batch_size, drop_remainder=is_full)
    return batches if is_full else _mapped(batches, filled)


def _traced(function: Callable[..., object], *signature: tf.TensorSpec) -> _Graph:
    traced = tf.function(function, input_signature=signature, autograph=False)
    return cast("_Graph", traced)


def _mapped(dataset: tf.data.Dataset, function: Callable[..., object]) -> tf.data.Dataset:
    return dataset.map(
        tf.autograph.experimental.do_not_convert(function),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _finished(batches: tf.data.Dataset, memory_limit_mb: int) -> tf.data.Dataset:
    options = _options()
    options.autotune.ram_budget = memory_limit_mb * 2**20
    return batches.with_options(options).prefetch(tf.data.AUTOTUNE)


def _passed(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Batches that are read once, by as many threads as there are cores.

    Tuning finds nothing better in so short a time, and its thread, which looks at the pass
    now and then, keeps the iterator from closing for up to two seconds (TensorFlow 2.21).
    """
    options = _options()
    options.autotune.enabled = False
    return batches.with_options(options).prefetch(_PASS_BATCHES)


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # Between machines each takes its part of every batch; there are no files to share out.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ConfigError(f"batch_size must be 1 or more, not {batch_size!r}")
