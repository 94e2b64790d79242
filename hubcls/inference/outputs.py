"""What a network gives for many images, with a bar while it computes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.progress import Advance, progress


def compute_outputs(
    model: keras.Model, batches: tf.data.Dataset, count: int, *, title: str
) -> npt.NDArray[np.float32]:
    """What `model` gives for the first `count` images, float32 [count, D], in order.

    Args:
        model: images to logits or features, on one device or under a distribution strategy.
        batches: images [B, H, W, 3], all of one size: the last batch is padded, so that
            the model is traced once and no replica gets an empty share.
        count: how many images there are without the padding.
        title: what is done, for the progress bar; one batch alone is not worth a bar.

    Raises:
        ConfigError: there are fewer images than `count`.
    """
    with contextlib.ExitStack() as stack:
        callbacks = []
        if int(batches.cardinality()) != 1:
            advance = stack.enter_context(progress(count, title, "images"))
            callbacks.append(_Advancing(advance, count))
        outputs = model.predict(batches, verbose=0, callbacks=callbacks)
    if len(outputs) < count:
        raise ConfigError(f"{count} images were announced, but only {len(outputs)} came")
    return np.asarray(outputs, dtype=np.float32)[:count]


def streamed_outputs(
    model: keras.Model, batches: tf.data.Dataset, count: int, *, title: str
) -> Iterator[list[npt.NDArray[np.float32]]]:
    """What a model of several outputs gives, batch after batch; nothing is kept.

    Args:
        model: on one device; images to tensors [B, …].
        batches: images [B, H, W, 3], all of one size: the last batch is padded.
        count: how many images there are without the padding.
        title: what is done, for the progress bar.

    Yields:
        For each batch, a list with every output, float32, without the padding.
    """
    remaining = count
    with progress(count, title, "images") as advance:
        for batch in batches:
            outputs = model.predict_on_batch(batch)
            # Keras gives one output bare.
            outputs = outputs if isinstance(outputs, list) else [outputs]
            done = min(remaining, len(batch))
            remaining -= done
            advance(done)
            yield [np.asarray(output, dtype=np.float32)[:done] for output in outputs]


def batch_size_for(model: keras.Model, batch_size: int) -> int:
    """The next batch size that all replicas of a distributed model share equally.

    A replica without images crashes on the CPU, and gives NaN elsewhere.
    """
    replicas = int(model.distribute_strategy.num_replicas_in_sync)
    return -(-batch_size // replicas) * replicas


class _Advancing(keras.callbacks.Callback):
    """Moves a progress bar by the images of each batch, padding apart."""

    def __init__(self, advance: Advance, count: int) -> None:
        super().__init__()
        self._advance = advance
        self._remaining = count

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        done = min(len((logs or {})["outputs"]), self._remaining)
        self._remaining -= done
        self._advance(done)
