"""Each image through the frozen part of a network once, ever."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hubcls.cached import LIMIT_VARIABLE, cache_limit
from hubcls.datasets.base import Split
from hubcls.errors import DataError
from hubcls.features.cutting import Trunk, trunks
from hubcls.features.store import KEY_BYTES, Keys, Rows, Shelf
from hubcls.images.augmenting import Augmentation
from hubcls.inference.outputs import compute_outputs, streamed_outputs
from hubcls.logs import logger
from hubcls.pipeline.building import evaluation_batches, view_batches
from hubcls.preprocessing import Preprocessing
from hubcls.version import __version__

_BATCH_SIZE = 32
_BYTES_AT_A_TIME = 2**26
_MOST_IN_MEMORY = 2**27
_MOST_READ_FOR_EVALUATION = 2**14  # numbers an image


class Features:
    """What the frozen part of a network makes of the views of every image of a split.

    Held in memory where that takes little; otherwise read from the files, which the system
    keeps in what memory is free.
    """

    def __init__(self, views: Sequence[Rows], shape: tuple[int, ...]) -> None:
        """Hold the rows.

        Args:
            views: of each view the rows of all images.
            shape: of a row.
        """
        self._views = views
        self.row_shape = shape

    def __len__(self) -> int:
        return len(self._views[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Images, and the shape of a row."""
        return (len(self), *self.row_shape)

    def __getitem__(self, rows: slice) -> npt.NDArray[np.float32]:
        """The first view of images one after the other."""
        return self.read(np.arange(len(self))[rows])

    @property
    def num_views(self) -> int:
        """Views of each image."""
        return len(self._views)

    def read(
        self, numbers: npt.NDArray[np.int64], views: npt.NDArray[np.int64] | int = 0
    ) -> npt.NDArray[np.float32]:
        """Rows, float32 [n, …], of images by their numbers and views, int64 [n]."""
        if self._in_memory is not None:
            return self._in_memory[views * len(self) + numbers]
        views = np.broadcast_to(views, numbers.shape)
        rows = np.empty((len(numbers), *self.row_shape), np.float32)
        for view in np.unique(views):
            rows[views == view] = self._views[view].read(numbers[views == view])
        return rows

    def load(self, numbers: tf.Tensor, views: tf.Tensor) -> tf.Tensor:
        """`read` inside a TensorFlow graph; int64 [B] both."""
        rows = tf.numpy_function(self.read, [numbers, views], tf.float32, stateful=False)
        return tf.ensure_shape(rows, [numbers.shape[0], *self.row_shape])

    @functools.cached_property
    def _in_memory(self) -> npt.NDArray[np.float32] | None:
        """Every row, view after view; None where that is much."""
        if self.num_views * len(self) * math.prod(self.row_shape) * 4 > _MOST_IN_MEMORY:
            return None
        everything = np.arange(len(self))
        return np.concatenate([rows.read(everything) for rows in self._views])


def features_of(
    trunk: Trunk,
    split: Split,
    preprocessing: Preprocessing,
    *,
    title: str,
    augmentation: Augmentation | None = None,
    num_views: int = 1,
) -> Features | None:
    """What a part of a network makes of a split's images, computed where no run has before.

    View 0 is the image as evaluation sees it; every other view is a random change, which
    the image's content and the view's number decide.

    Args:
        trunk: the part.
        split: labels are not read.
        preprocessing: what every image goes through.
        title: what is done, for the progress bar.
        augmentation: how views differ; needed for more than one.
        num_views: views of each image.

    Returns:
        None where the features would not fit into the cache folder, which the log then says.

    Raises:
        DataError: an image cannot be read.
    """
    shape = _row_shape(trunk, preprocessing)
    needed = num_views * len(split) * (math.prod(shape) * 4 + KEY_BYTES)
    if needed > cache_limit():
        logger.info(
            "%s: not kept, for they would take %.1f GB (%s bounds the cache)",
            title,
            needed / 1e9,
            LIMIT_VARIABLE,
        )
        return None
    keys = content_keys(split)
    views = []
    for view in range(num_views):
        changed = augmentation if view else None
        shelf = Shelf(_shelf_name(trunk, preprocessing, changed, view), shape)
        rows = shelf.rows(keys)
        if len(rows.missing):
            # Copies of an image are computed once.
            _, firsts = np.unique(keys[rows.missing], axis=0, return_index=True)
            chosen = np.sort(rows.missing[firsts])
            batches = _batches(split.subset(chosen), keys[chosen], preprocessing, changed, view)
            if not _is_filled(shelf, trunk, batches, keys[chosen], title):
                return None
            rows = shelf.rows(keys)
        if len(rows.missing):
            logger.warning("%s: their room in the cache was needed meanwhile", title)
            return None
        views.append(rows)
    return Features(views, shape)


def logits_of(
    model: keras.Model,
    split: Split,
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    title: str,
    backend: str = "auto",
) -> npt.NDArray[np.float32]:
    """A classifier's logits, float32 [N, C], from features where such are kept of its body.

    Args:
        model: functional, images to logits.
        split: labels are not read.
        preprocessing: what every image goes through.
        batch_size: images at a time, which all replicas of a distributed model share equally.
        title: what is done, for the progress bar.
        backend: see `hubcls.inference.Inference`.

    Raises:
        DataError: an image cannot be read.
    """
    is_distributed = model.distribute_strategy.num_replicas_in_sync > 1
    for trunk in [] if is_distributed else reversed(trunks(model)):
        if not Shelf(_shelf_name(trunk, preprocessing, None, 0), ()).exists:
            continue
        # Reading large maps would take longer than computing what stands above them.
        if math.prod(_row_shape(trunk, preprocessing)) <= _MOST_READ_FOR_EVALUATION:
            features = features_of(trunk, split, preprocessing, title=title)
            if features is not None:
                batches = _feature_batches(features, batch_size)
                return compute_outputs(trunk.upper, batches, len(split), title=title)
    batches = evaluation_batches(split, preprocessing, batch_size=batch_size)
    return compute_outputs(model, batches, len(split), title=title, backend=backend)


def _feature_batches(features: Features, batch_size: int) -> tf.data.Dataset:
    """In order, float32 [batch_size, …]; the last row fills up the last batch."""

    def rows(start: tf.Tensor) -> tf.Tensor:
        numbers = tf.minimum(start + tf.range(batch_size, dtype=tf.int64), len(features) - 1)
        return features.load(numbers, tf.zeros_like(numbers))

    return tf.data.Dataset.range(0, len(features), batch_size).map(rows)


def content_keys(split: Split) -> Keys:
    """A hash of each image's content, uint8 [N, 16]: of the file's bytes, or of the pixels.

    Raises:
        DataError: a file cannot be read.
    """
    if isinstance(split.images, np.ndarray):
        shape = repr(split.images.shape[1:]).encode()
        digests = [_digest(shape + image.tobytes()) for image in split.images]
    else:
        with ThreadPoolExecutor() as threads:
            digests = list(threads.map(_file_digest, split.images))
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _row_shape(trunk: Trunk, preprocessing: Preprocessing) -> tuple[int, ...]:
    shape = tuple(trunk.model.output_shape[1:])
    if None in shape:  # the network takes images of any size
        size = (preprocessing.height, preprocessing.width)
        shape = tuple(trunk.model.compute_output_shape((1, *size, 3))[1:])
    return shape


def _file_digest(path: str) -> bytes:
    try:
        return _digest(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read any more: {error.strerror or error}") from error


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _shelf_name(
    trunk: Trunk, preprocessing: Preprocessing, augmentation: Augmentation | None, view: int
) -> str:
    facts = {
        "trunk": trunk.key,
        "preprocessing": preprocessing.as_dict(),
        "augmentation": None if augmentation is None else augmentation.as_dict(),
        "view": view,
        # GPUs round otherwise, with TF32 by a thousandth. Which of a CPU's runtimes computes
        # (hubcls.inference) is left out: each was shown to compute what the model does.
        "device": _device_kind(),
        "versions": [__version__, keras.__version__, tf.__version__],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:40]


def _device_kind() -> str:
    if not tf.config.list_logical_devices("GPU"):
        return "CPU"
    has_tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    return f"GPU, TF32 {'on' if has_tf32 else 'off'}"


def _batches(
    split: Split,
    keys: Keys,
    preprocessing: Preprocessing,
    augmentation: Augmentation | None,
    view: int,
) -> tf.data.Dataset:
    if augmentation is None:
        return evaluation_batches(split, preprocessing, batch_size=_BATCH_SIZE)
    seeds = keys[:, :8].copy().view(np.int64)[:, 0]
    return view_batches(
        split,
        preprocessing,
        augmentation,
        seeds=np.stack([np.full_like(seeds, view), seeds], axis=1),
        batch_size=_BATCH_SIZE,
    )


def _is_filled(
    shelf: Shelf, trunk: Trunk, batches: tf.data.Dataset, keys: Keys, title: str
) -> bool:
    """Put the rows of all images on the shelf, some megabytes at a time; whether they are there.

    A disk that is full or may not be written to costs speed, never the run.
    """
    waiting: list[npt.NDArray[np.float32]] = []
    kept = done = 0
    try:
        shelf.begin()
        for (rows,) in streamed_outputs(trunk.inference, batches, len(keys), title=title):
            waiting.append(rows)
            done += len(rows)
            if done == len(keys) or len(waiting) * rows.nbytes >= _BYTES_AT_A_TIME:
                shelf.add(keys[kept:done], np.concatenate(waiting))
                waiting, kept = [], done
    except OSError as error:
        logger.warning("%s: cannot be kept in %s: %s", title, shelf.folder, error)
        return False
    return True
