"""What a model gives for many images, with a bar while it computes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.inference.choosing import Inference
from hubcls.progress import Advance, progress


def compute_outputs(
    model: keras.Model, batches: Iterable[Any], count: int, *, title: str, backend: str = "auto"
) -> npt.NDArray[np.float32]:
    """What `model` gives for the first `count` images, float32 [count, D], in order.

    Args:
        model: images to logits or features, on one device or under a distribution strategy.
        batches: images [B, H, W, 3], all of one size: the last batch is padded, so that
            the model is traced once and no replica gets an empty share.
        count: how many images there are without the padding.
        title: what is done, for the progress bar; one batch alone is not worth a bar.
        backend: see `hubcls.inference.Inference`.

    Raises:
        ConfigError: there are fewer images than `count`.
    """
    outputs = np.zeros((count, *model.output_shape[1:]), np.float32)
    done = 0
    for (part,) in streamed_outputs(Inference(model, backend), batches, count, title=title):
        outputs[done : done + len(part)] = part
        done += len(part)
    return outputs


def streamed_outputs(
    inference: Inference, batches: Iterable[Any], count: int, *, title: str
) -> Iterator[list[npt.NDArray[np.float32]]]:
    """What a model gives for the first `count` images, batch after batch; nothing is kept.

    Args:
        inference: the model.
        batches: images [B, H, W, 3]; a `tf.data.Dataset` where there are several replicas.
        count: how many images there are without the padding.
        title: what is done, for the progress bar; one batch alone is not worth a bar.

    Yields:
        For each batch, a list with every output, float32, without the padding.

    Raises:
        ConfigError: there are fewer images than `count`.
    """
    remaining = count
    with contextlib.ExitStack() as stack:
        advance: Advance = _nothing
        if not isinstance(batches, tf.data.Dataset) or int(batches.cardinality()) != 1:
            advance = stack.enter_context(progress(count, title, "images"))
        for outputs in inference.outputs(batches, count):
            done = min(remaining, len(outputs[0]))
            remaining -= done
            advance(done)
            yield [output[:done] for output in outputs]
    if remaining:
        raise ConfigError(f"{count} images were announced, but only {count - remaining} came")


def batch_size_for(model: keras.Model, batch_size: int) -> int:
    """The next batch size that all replicas of a distributed model share equally.

    A replica without images crashes on the CPU, and gives NaN elsewhere.
    """
    replicas = int(model.distribute_strategy.num_replicas_in_sync)
    return -(-batch_size // replicas) * replicas


def _nothing(units: int) -> None:
    """What tells nobody that a batch is done."""
