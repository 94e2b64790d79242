"""The learning-rate range test: train a little while the rate rises, and watch the loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hubcls.errors import ConfigError, TrainingError
from hubcls.folding import folded
from hubcls.pipeline.building import TrainingStream

_MEMORY = 0.9  # of the running mean of the loss
_FEWEST = 10
# Behind this many times its best, the loss has exploded.
_EXPLODED = 4.0


@dataclass(frozen=True, eq=False)
class RateTest:
    """What the loss did while the rate rose.

    Attributes:
        rates: of each step, rising; float64 [steps].
        losses: of each step's batch, before its update; float64 [steps].
        smoothed: their running mean, corrected for its start.
        suggestion: a tenth of the rate at which the smoothed loss was least: there it still
            falls, with room for what more training brings.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float


def rate_test(
    model: keras.Model,
    stream: TrainingStream,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    num_steps: int = 100,
) -> RateTest:
    """Train a model for `num_steps` with a rate that rises by the same factor each step.

    Smith 2017, arXiv:1506.01186, section 3.3, with a geometric rise. Ends early when the
    loss explodes. The model is spoilt afterwards.

    Args:
        model: compiled; its layers are open or frozen as they shall be.
        stream: training batches.
        lowest: the first step's rate.
        highest: the last step's.
        num_steps: how many, at least 10.

    Raises:
        ConfigError: a number is out of range.
        TrainingError: the loss did not fall at any rate.
    """
    if not 0 < lowest < highest or num_steps < _FEWEST:
        raise ConfigError(
            f"a rate test wants 0 < lowest < highest and at least {_FEWEST} steps, "
            f"not {lowest}, {highest} and {num_steps}"
        )
    growth = (highest / lowest) ** (1 / (num_steps - 1))
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(lowest, 1, growth)
    watch = _Watch()
    with folded(model):
        model.fit(stream.batches(0, num_steps), verbose=0, shuffle=False, callbacks=[watch])
    losses = np.array(watch.losses)
    return _judged(lowest * growth ** np.arange(len(losses)), losses)


def _judged(rates: np.ndarray, losses: np.ndarray) -> RateTest:
    smoothed = _smoothed(losses)
    best = int(np.argmin(smoothed))
    if len(losses) < _FEWEST or best < 2:
        raise TrainingError(
            f"the loss did not fall at any rate between {rates[0]:g} and {rates[-1]:g} "
            f"(it began at {losses[0]:.4g}). Try a lower `lowest` and more steps."
        )
    return RateTest(rates, losses, smoothed, float(rates[best]) / 10)


def _smoothed(losses: np.ndarray) -> np.ndarray:
    mean, means = 0.0, []
    for place, loss in enumerate(losses, start=1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        means.append(mean / (1 - _MEMORY**place))
    return np.array(means)


class _Watch(keras.callbacks.Callback):
    """Notes the loss of each batch alone, and stops when it explodes."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras' loss is the mean since the epoch's start.
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        best = min(self.losses, default=math.inf)
        if not math.isfinite(loss) or loss > _EXPLODED * best:
            self.model.stop_training = True
        else:
            self.losses.append(loss)
