"""Images of any kind through a network, in batches of its size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL.Image import Image as PillowImage

from hubcls.errors import ConfigError
from hubcls.images import decoding, resizing
from hubcls.preprocessing import Preprocessing

_BATCH_SIZE = 32

# A path, an array [H, W] or [H, W, C], or a Pillow image.
Image: TypeAlias = str | Path | np.ndarray | PillowImage
# One, or an array [N, H, W, C], or a sequence of these.
Images: TypeAlias = Image | Sequence[Image]


def outputs(
    predict: Callable[[npt.NDArray[np.uint8]], Any], images: Images, rule: Preprocessing
) -> npt.NDArray[np.float32]:
    """What a network makes of images, in their order.

    Args:
        predict: takes uint8 [B, height, width, 3], gives rows.
        images: one or several.
        rule: size, resize rule and interpolation are read.

    Raises:
        ConfigError: there are no images.
        DataError: an image cannot be read.
    """
    listed = _listed(images)
    if not listed:
        raise ConfigError("images must hold at least one path, array or Pillow image")
    batches = [np.asarray(predict(batch), dtype=np.float32) for batch in _batches(listed, rule)]
    return np.concatenate(batches)


def _listed(images: Images) -> list[Image]:
    """Single images, one after the other."""
    given = [images] if isinstance(images, str | Path | np.ndarray | PillowImage) else images
    listed: list[Image] = []
    for image in given:
        if isinstance(image, np.ndarray) and image.ndim == 4:
            listed.extend(image)
        else:
            listed.append(image)
    return listed


def _batches(images: Sequence[Image], rule: Preprocessing) -> Iterator[npt.NDArray[np.uint8]]:
    for start in range(0, len(images), _BATCH_SIZE):
        chosen = images[start : start + _BATCH_SIZE]
        yield np.stack([np.asarray(resizing.resize(_pixels(image), rule)) for image in chosen])


def _pixels(image: Image) -> npt.NDArray[np.uint8]:
    if isinstance(image, (str, Path)):
        return decoding.read_with_pillow(str(image))
    return decoding.to_rgb_array(image)
