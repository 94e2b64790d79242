"""Training images decoded once and kept as raw pixels, for later epochs and later runs."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
import tensorflow as tf

from hubcls.cached import LIMIT_VARIABLE, cache_limit, make_room, mark_used
from hubcls.datasets.base import Split
from hubcls.datasets.checking import file_stamp
from hubcls.downloads.locking import locked
from hubcls.errors import DataError
from hubcls.home import cache_home
from hubcls.images.augmenting import Augmentation, augment
from hubcls.images.resizing import resize
from hubcls.logs import logger
from hubcls.pipeline.sources import FileSource, on_host
from hubcls.preprocessing import Preprocessing
from hubcls.progress import progress
from hubcls.writing import complete_folder, replacing_folder

_PIXELS, _SIZES = "pixels.bin", "sizes.npy"
_ALIGNMENT = 64  # TensorFlow takes slices without a copy that begin at such bytes
_JUDGED_AFTER = 200  # images, whose mean size tells whether all will fit


class DecodedSource:
    """Image files that are shrunk once, and then read as pixels.

    Where crops are drawn, each picture is shrunk until the least crop of it has as many
    pixels as the network's input, and never enlarged; where none are, it is kept as
    evaluation sees it. What a stream then shows depends on the shrunk pictures alone. When
    they have no room, they are made anew each time: slower, but the same pixels.
    """

    def __init__(
        self, split: Split, preprocessing: Preprocessing, augmentation: Augmentation | None
    ) -> None:
        """Find the shrunk pictures, or make them.

        Args:
            split: image files.
            preprocessing: what every image goes through.
            augmentation: what training changes; its `min_area` is read.

        Raises:
            ConfigError: HUBCLS_CACHE_GB is no number of at least 0.
            DataError: a file has gone.
        """
        self._files = FileSource(tuple(split.images), split.needs_pillow, preprocessing)
        self._max_pixels: int | None = None
        self._preprocessing = preprocessing
        if augmentation is not None and augmentation.min_area < 1:
            input_pixels = preprocessing.height * preprocessing.width
            self._max_pixels = math.ceil(input_pixels / augmentation.min_area)
        else:  # what is kept has the input's size: nothing more is cut off or padded
            self._preprocessing = preprocessing.replaced(resize="stretch")
        self._kept = self._found_or_made(split, preprocessing)

    def load(self, index: tf.Tensor) -> tf.Tensor:
        """Image `index` as evaluation sees it, if no crops are drawn."""
        return resize(self._shrunk(index), self._preprocessing)

    def load_augmented(
        self, index: tf.Tensor, augmentation: Augmentation, drawn: tf.Tensor
    ) -> tf.Tensor:
        """Image `index` changed at random."""
        image = self._shrunk(index)
        return augment(image, self._preprocessing, augmentation=augmentation, drawn=drawn)

    def _shrunk(self, index: tf.Tensor) -> tf.Tensor:
        if self._kept is None:
            return self._made(index)
        pixels, places = self._kept
        start, height, width = tf.unstack(places[index])
        image = tf.slice(pixels, [start], [height * width * 3])
        return tf.reshape(image, [height, width, 3])

    def _made(self, index: tf.Tensor) -> tf.Tensor:
        if self._max_pixels is None:
            return self._files.load(index)
        return self._files.load_shrunk(index, self._max_pixels)

    def _found_or_made(
        self, split: Split, preprocessing: Preprocessing
    ) -> tuple[tf.Tensor, tf.Tensor] | None:
        """The pixels of all images in a row, uint8 [bytes], and start, height, width of each."""
        rule = preprocessing.as_dict() if self._max_pixels is None else self._max_pixels
        folder = _folder() / _key(split, repr(rule))
        found = _opened(folder)
        if found is not None:
            return found
        with locked(folder):
            found = _opened(folder)  # another run may have made it while we waited
            if found is not None:
                return found
            images = tf.data.Dataset.range(len(split)).map(
                tf.autograph.experimental.do_not_convert(self._made), tf.data.AUTOTUNE
            )
            if not _stored(folder, images.as_numpy_iterator(), len(split)):
                return None
        found = _opened(folder)  # it goes on being readable if other runs need its room
        make_room()
        return found


def _folder() -> Path:
    return cache_home() / "images"


def _key(split: Split, rule: str) -> str:
    """Changes with every file's path, size and time of change, and with what makes pixels."""
    digest = sha256(f"1 {rule} {tf.__version__} {PIL.__version__}".encode())
    for path, needs_pillow in zip(split.images, split.needs_pillow, strict=True):
        stamp = file_stamp(os.path.abspath(path))  # noqa: PTH100 - called a million times
        if stamp is None:
            raise DataError(f"{path} is not there any more; make the data set again")
        digest.update(stamp + bytes([bool(needs_pillow)]))
    return digest.hexdigest()[:32]


def _opened(folder: Path) -> tuple[tf.Tensor, tf.Tensor] | None:
    """The file as a tensor that the system reads where it is used; None when it is not whole.

    It stays readable when another run removes the file to make room.
    """
    complete = complete_folder(folder)
    try:
        sizes = np.load(complete / _SIZES, allow_pickle=False)
        lengths = sizes.prod(axis=1) * 3
        lengths += _padding(lengths)
        if (complete / _PIXELS).stat().st_size != lengths.sum():
            return None
        with tf.init_scope(), tf.device("CPU:0"):
            pixels = tf.raw_ops.ImmutableConst(
                dtype=tf.uint8,
                shape=[int(lengths.sum())],
                memory_region_name=str(complete / _PIXELS),
            )
        mark_used(complete)
    except (OSError, ValueError, tf.errors.NotFoundError):
        return None
    starts = np.cumsum(lengths) - lengths
    return pixels, on_host(np.column_stack([starts, sizes]), tf.int64)


def _stored(folder: Path, images: Iterable[np.ndarray], count: int) -> bool:
    """Write the images; False, and a warning, when they have no room."""
    try:
        with (
            replacing_folder(folder) as new,
            progress(count, "decoding images for the cache", unit="images") as advance,
            (new / _PIXELS).open("wb") as file,
        ):
            sizes = []
            for image in images:
                sizes.append(image.shape[:2])
                file.write(image.tobytes())
                file.write(bytes(int(_padding(image.nbytes))))
                advance(1)
                if len(sizes) >= min(count, _JUDGED_AFTER):
                    _check_room(file.tell() / len(sizes) * count)
            np.save(new / _SIZES, np.array(sizes, np.int64))
    except OSError as error:
        logger.warning(
            "decoded images are not kept, each is decoded anew: %s", error.strerror or error
        )
        return False
    return True


def _check_room(wanted_bytes: float) -> None:
    limit = cache_limit()
    if wanted_bytes > limit:
        raise OSError(
            f"they would fill {wanted_bytes / 1e9:.1f} GB, and {LIMIT_VARIABLE} allows "
            f"{limit / 1e9:g}; raise it, or leave out decoded_cache"
        )


def _padding(num_bytes: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return -np.asarray(num_bytes, np.int64) % _ALIGNMENT
