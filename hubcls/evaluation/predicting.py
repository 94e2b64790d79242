"""From any form of images to class names with probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image

from hubcls.classification.classifier import head_input
from hubcls.classification.predictions import Prediction, decode
from hubcls.classification.problem import Problem
from hubcls.datasets.folder import images_under
from hubcls.errors import DataError
from hubcls.inference.outputs import batch_size_for, compute_outputs, streamed_outputs
from hubcls.pipeline.building import image_batches
from hubcls.preprocessing import Preprocessing

OneImage: TypeAlias = str | Path | np.ndarray | Image.Image
Images: TypeAlias = OneImage | Sequence[OneImage]


def predict(
    model: keras.Model,
    images: Images,
    *,
    preprocessing: Preprocessing,
    problem: Problem,
    top_k: int = 1,
    batch_size: int = 32,
) -> list[Prediction]:
    """What each image shows, in the order given.

    Args:
        model: images [B, H, W, 3] to logits.
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
    if not listed:
        return []
    size = batch_size_for(model, min(batch_size, len(listed)))
    batches, count = image_batches(listed, preprocessing, size)
    logits = compute_outputs(model, batches, count, title="predicting")
    return _decoded(logits, problem, top_k, _sources(listed))


def predict_in_batches(
    model: keras.Model,
    images: Images,
    *,
    preprocessing: Preprocessing,
    problem: Problem,
    top_k: int = 1,
    batch_size: int = 32,
) -> Iterator[tuple[list[Prediction], npt.NDArray[np.float32]]]:
    """`predict`, batch by batch as they are done, with what the head saw of each image.

    All images are checked before the first batch.

    Args:
        model: from `build_classifier`, on one device.
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
    both = keras.Model(model.input, [head_input(model), model.output])
    batches, count = image_batches(listed, preprocessing, min(batch_size, max(1, len(listed))))
    start = 0
    for features, logits in streamed_outputs(both, batches, count, title="predicting"):
        names = sources[start : start + len(logits)]
        start += len(logits)
        yield _decoded(logits, problem, top_k, names), features


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
