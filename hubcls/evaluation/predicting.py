"""From any form of images to class names with probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from hubcls.classification.classifier import head_input
from hubcls.classification.predictions import Prediction, decode
from hubcls.classification.problem import Problem
from hubcls.datasets.folder import images_under
from hubcls.errors import DataError, UnreadableImagesError
from hubcls.images.decoding import inspect
from hubcls.images.glancing import glance
from hubcls.inference.choosing import Inference
from hubcls.inference.outputs import batch_size_for, streamed_outputs
from hubcls.pipeline.building import image_batches
from hubcls.pipeline.few_images import image_batch
from hubcls.preprocessing import Preprocessing

OneImage: TypeAlias = str | Path | np.ndarray | Image.Image
Images: TypeAlias = OneImage | Sequence[OneImage]

# So many are decoded before a stream of batches is set up.
_FEW_IMAGES = 32


def predict(
    inference: Inference,
    images: Images,
    *,
    preprocessing: Preprocessing,
    problem: Problem,
    top_k: int = 1,
    batch_size: int = 32,
) -> list[Prediction]:
    """What each image shows, in the order given.

    Args:
        inference: images [B, H, W, 3] to logits, which may be the last of several outputs.
        images: see `listed_images`.
        preprocessing: how an image becomes the model's input.
        problem: what the logits mean.
        top_k: how many classes each prediction lists.
        batch_size: images at a time; fewer images make a smaller batch.

    Returns:
        One prediction for each image; its source is the path, or the place in the input.

    Raises:
        DataError: a path leads nowhere, a folder holds no images, or one is unreadable.
    """
    listed = listed_images(images)
    outputs = _outputs(inference, listed, preprocessing, batch_size)
    logits = [part[-1] for part in outputs]
    if not logits:
        return []
    return _decoded(np.concatenate(logits), problem, top_k, _sources(listed))


def predict_in_batches(
    inference: Inference,
    images: Images,
    *,
    preprocessing: Preprocessing,
    problem: Problem,
    top_k: int = 1,
    batch_size: int = 32,
) -> Iterator[tuple[list[Prediction], npt.NDArray[np.float32]]]:
    """`predict`, batch by batch as they are done, with what the head saw of each image.

    What no image file is, and what is cut off, shows before the first batch; damage inside
    an image may show only when its turn comes.

    Args:
        inference: of `with_features`.
        images: see `listed_images`.
        preprocessing: how an image becomes the model's input.
        problem: what the logits mean.
        top_k: how many classes each prediction lists.
        batch_size: images at a time.

    Yields:
        The predictions of a batch, and its images' pooled features, float32 [b, C].

    Raises:
        DataError: a path leads nowhere, a folder holds no images, or one is unreadable.
    """
    listed = listed_images(images)
    sources = _sources(listed)
    start = 0
    for features, logits in _outputs(inference, listed, preprocessing, batch_size):
        names = sources[start : start + len(logits)]
        start += len(logits)
        yield _decoded(logits, problem, top_k, names), features


def with_features(model: keras.Model) -> keras.Model:
    """A classifier that gives its backbone's pooled features [B, C], and then its logits.

    Raises:
        ConfigError: `build_classifier` has not made the model's head.
    """
    return keras.Model(model.input, [head_input(model), model.output])


def _outputs(
    inference: Inference, listed: Sequence[OneImage], preprocessing: Preprocessing, batch_size: int
) -> Iterator[list[npt.NDArray[np.float32]]]:
    """The outputs of each batch; every image is decoded once if none turns out damaged.

    Files are looked at and then decoded as their batch comes. When one cannot be, all that
    remain are checked in full: either that names what is wrong, or Pillow can read them.
    """
    if not listed:
        return
    size = batch_size_for(inference.model, min(batch_size, len(listed)))
    done = 0
    for check in (glance, inspect):
        try:
            if len(listed) <= min(size, _FEW_IMAGES) and inference.num_replicas == 1:
                batches: Iterable[Any] = [image_batch(listed, preprocessing, check=check)]
            else:
                batches, _ = image_batches(listed[done:], preprocessing, size, check=check)
            count = len(listed) - done
            for outputs in streamed_outputs(inference, batches, count, title="predicting"):
                done += len(outputs[0])
                yield outputs
        except (UnreadableImagesError, tf.errors.OpError):
            if check is inspect:
                raise
        else:
            return


def _decoded(
    logits: npt.NDArray[np.float32], problem: Problem, top_k: int, sources: Sequence[str]
) -> list[Prediction]:
    return decode(
        problem.probabilities(logits),
        problem.predicted(logits),
        problem.class_names,
        top_k=top_k,
        sources=sources,
    )


def _sources(listed: Sequence[OneImage]) -> list[str]:
    return [
        str(image) if isinstance(image, str | Path) else str(place)
        for place, image in enumerate(listed)
    ]


def listed_images(images: Images) -> list[OneImage]:
    """Single images, one after the other.

    Args:
        images: a path, an array [H, W], [H, W, C] or [N, H, W, C], a Pillow image, or a
            sequence of such. A folder stands for its images, sorted, and then those of
            the folders below.

    Raises:
        DataError: a path leads nowhere, or a folder holds no images; lists each.
    """
    given = [images] if isinstance(images, str | Path | np.ndarray | Image.Image) else images
    problems: list[str] = []
    listed: list[OneImage] = []
    for image in given:
        if isinstance(image, np.ndarray) and image.ndim == 4:
            listed.extend(image)
        elif isinstance(image, str | Path):
            listed.extend(_files(Path(image), problems))
        else:
            listed.append(image)
    if problems:
        raise DataError("images are missing:\n  " + "\n  ".join(problems))
    return listed


def _files(path: Path, problems: list[str]) -> list[str]:
    if path.is_file():
        return [str(path)]
    found = list(images_under(path)) if path.is_dir() else []
    if path.is_dir() and not found:
        problems.append(f"{path}: the folder holds no images")
    elif not found:
        problems.append(f"{path}: no such file or folder")
    return found
