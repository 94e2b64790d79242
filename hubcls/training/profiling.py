"""Where the time of a training step goes."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.folding import folded
from hubcls.training.parts import TrainedPart

_WARM_UP = 2
_TRACED_STEPS = 3


@dataclass(frozen=True)
class StepProfile:
    """The time of one training step, in parts.

    Attributes:
        batch_size: images in a step.
        route: the way of a batch: "through all layers", "from features of LAYER".
        seconds: part → its time: "input wait", "forward", "backward", "update".
        trace: folder of TensorBoard's profile; None where none was asked for.
    """

    batch_size: int
    route: str
    seconds: Mapping[str, float]
    trace: Path | None

    @property
    def total_seconds(self) -> float:
        """Of the whole step."""
        return sum(self.seconds.values())

    @property
    def images_per_second(self) -> float:
        """How many images such steps train on."""
        return self.batch_size / self.total_seconds


def profile_steps(
    part: TrainedPart, *, num_steps: int = 10, trace: Path | None = None
) -> StepProfile:
    """Time training steps with their input, without it, and without update and backward.

    The parts are differences of medians, and add up to the median step: what steps take beyond
    those on one batch in memory is the wait for input, and so on down. Each way runs twice
    before it is timed. The trace is of three further steps. The model is trained on the way:
    it is spoilt afterwards.

    Args:
        part: fresh, on one device.
        num_steps: how many are timed of each kind.
        trace: folder to write TensorBoard's profile to, below `plugins/profile`.

    Raises:
        ConfigError: num_steps is below 1.
    """
    if num_steps < 1:
        raise ConfigError(f"a profile needs at least 1 step, not {num_steps}")
    count = num_steps + _WARM_UP
    model, stream = part.model, part.stream
    with folded(model):
        images, targets = batch = next(iter(stream.batches(0, 1)))
        forward = _median(_forward(model, images, targets), count)
        gradients = _median(_gradients(model, images, targets), count)
        in_memory = tf.data.Dataset.from_tensors(batch).repeat(count)
        step = _median_step(model, in_memory)
        fed = _median_step(model, stream.batches(0, count))
        if trace is not None:
            tf.profiler.experimental.start(str(trace))
            _median_step(model, stream.batches(count, _TRACED_STEPS + _WARM_UP))
            tf.profiler.experimental.stop()
    seconds = _differences(fed, step, gradients, forward)
    return StepProfile(stream.batch_size, part.route, seconds, trace)


def _differences(*whole_first: float) -> dict[str, float]:
    """The parts of a step by how long it takes whole, without the first part, and so on.

    A way that took longer than the one that contains it, by chance, counts as long as that.
    """
    lasting = [*itertools.accumulate(whole_first, min), 0.0]
    spent = [more - less for more, less in itertools.pairwise(lasting)]
    parts = dict(zip(("input wait", "update", "backward", "forward"), spent, strict=True))
    return {name: parts[name] for name in ("input wait", "forward", "backward", "update")}


def _forward(model: keras.Model, images: tf.Tensor, targets: tf.Tensor) -> Callable[[], Any]:
    def loss() -> Any:
        return model.compute_loss(x=images, y=targets, y_pred=model(images, training=True))

    traced: Callable[[], Any] = tf.function(loss, autograph=False)
    return traced


def _gradients(model: keras.Model, images: tf.Tensor, targets: tf.Tensor) -> Callable[[], Any]:
    loss_of = _forward(model, images, targets)

    def gradients() -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of()
        return tape.gradient(loss, model.trainable_weights)

    traced: Callable[[], Any] = tf.function(gradients, autograph=False)
    return traced


def _median(compute: Callable[[], Any], count: int) -> float:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        results = [result for result in tf.nest.flatten(compute()) if result is not None]
        # Reading a number waits for the device.
        float(tf.reshape(tf.convert_to_tensor(results[0]), [-1])[0])
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[_WARM_UP:])


def _median_step(model: keras.Model, batches: tf.data.Dataset) -> float:
    watch = _Watch()
    model.fit(batches, verbose=0, shuffle=False, callbacks=[watch])
    return statistics.median(watch.seconds[_WARM_UP:])


class _Watch(keras.callbacks.Callback):
    """Times steps from the end of one to the end of the next; Keras fetches their metrics."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._ended = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._ended = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._ended)
        self._ended = now
