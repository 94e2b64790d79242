"""The training of a run: Keras' `fit`, one call an epoch, resumable at any step.

One call an epoch lets a half-done epoch go on (its call has fewer batches) and layers
open or freeze between epochs, without a loop of our own and without special cases.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

from hubcls.errors import TrainingError
from hubcls.folding import folded
from hubcls.strategies.base import Plan, TrainableGroup
from hubcls.training.checkpoints import restore_metrics
from hubcls.training.devices import agree_on_statistics
from hubcls.training.parts import TrainedPart
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import FetchedMetrics, RunProgress, RunState


class Listener(Protocol):
    """Who acts when something is due. Tasks turn these calls into their hook events."""

    def step_done(self, state: RunState) -> None:
        """One step is done, or those that are computed in one go."""

    def log_due(self, state: RunState) -> None:
        """`log_interval` steps are done; `state` sums them up."""

    def evaluation_due(self, state: RunState) -> None:
        """The validation split is to be evaluated and `progress` told the result."""

    def save_due(self) -> None:
        """The resumable state is to be written."""


@dataclass(frozen=True)
class Fitting:
    """All that one run of `fit` needs.

    Attributes:
        part: what trains, and its batches; the classifier that it is a part of is compiled,
            its optimizer built on every variable that will ever train.
        plan: which layers train in which epoch.
        groups: every layer with weights.
        progress: where the run stands; updated in place.
        config: intervals and limits.
        class_weights: weight of each label in the loss.
        listener: who acts.
        evaluates: whether the validation split is evaluated on the way.
        resumed_from: folder of the state that was just restored; None for no resume.
    """

    part: TrainedPart
    plan: Plan
    groups: tuple[TrainableGroup, ...]
    progress: RunProgress
    config: RunConfig
    class_weights: Mapping[int, float] | None
    listener: Listener
    evaluates: bool
    resumed_from: Path | None


def fit(fitting: Fitting) -> None:
    """Train until the last epoch, early stopping, or the time limit.

    Raises:
        TrainingError: the loss is not finite; the last saved state is kept.
    """
    progress, part = fitting.progress, fitting.part
    steps = progress.steps_per_epoch
    callback = _Steps(fitting)
    with _unaveraged_end(part.classifier.optimizer):
        while progress.step < progress.total_steps and not progress.is_finished:
            epoch = progress.epoch
            is_changed = fitting.plan.set_trainable(fitting.groups, epoch)
            if is_changed or not part.is_fresh:
                began = time.perf_counter()
                part.refresh()
                progress.seconds += time.perf_counter() - began
            remaining = steps - progress.step % steps
            with folded(part.model):
                part.model.fit(
                    part.stream.batches(progress.step, remaining),
                    initial_epoch=epoch,
                    epochs=epoch + 1,
                    verbose=0,
                    shuffle=False,
                    class_weight=_as_dict(fitting.class_weights),
                    callbacks=_Callbacks([callback], add_history=True, model=part.model),
                )
    progress.is_finished = True


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Inside, the model holds the moving average of its weights, where one is kept."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema or _steps_done(optimizer) == 0:
        yield
        return
    pairs = [
        (variable, average)
        for variable, average in zip(
            optimizer._trainable_variables,
            optimizer._model_variables_moving_average,
            strict=True,
        )
        if average is not None
    ]
    kept = [keras.ops.convert_to_numpy(variable) for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(keras.ops.convert_to_numpy(average))
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, kept, strict=True):
            variable.assign(value)


def learning_rate(model: keras.Model) -> float:
    """The rate of the next step, before per-layer factors."""
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def _steps_done(optimizer: keras.optimizers.Optimizer) -> int:
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


@contextlib.contextmanager
def _unaveraged_end(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Keep `fit` from writing the moving average into the weights at its end."""
    object.__setattr__(optimizer, "finalize_variable_values", lambda *_: None)
    try:
        yield
    finally:
        object.__delattr__(optimizer, "finalize_variable_values")


def _as_dict(class_weights: Mapping[int, float] | None) -> dict[int, float] | None:
    return None if class_weights is None else dict(class_weights)


class _Callbacks(keras.callbacks.CallbackList):
    """Hands the metrics of a step on as they are.

    Keras' own list makes numbers of them first, for which the host waits for the device at
    every step (keras 3.15).
    """

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class _Steps(keras.callbacks.Callback):
    """Counts steps and says what is due after each."""

    def __init__(self, fitting: Fitting) -> None:
        super().__init__()
        self._fitting = fitting
        self._progress = fitting.progress
        self._interval_steps = 0
        self._interval_seconds = 0.0
        self._first_step = 0  # of this call of `fit`
        self._step_began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # fit has just reset the metrics; a resumed epoch needs those of its first part.
        is_half_done = self._progress.step % self._progress.steps_per_epoch > 0
        if is_half_done and self._fitting.resumed_from is not None:
            self._restore_metrics(self._fitting.resumed_from)
        self._first_step = self._progress.step
        self._step_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        # `batch` counts from 0 in this call of `fit`; of several steps in one go it is the
        # last, even where the epoch had no more so many.
        progress, before = self._progress, self._progress.step
        epoch_end = (before // progress.steps_per_epoch + 1) * progress.steps_per_epoch
        progress.step = min(self._first_step + batch + 1, epoch_end)
        metrics = FetchedMetrics(logs or {})
        due = self._due(before)
        if due:
            metrics.fetch()  # waits for the device, which belongs to the time of the steps
        seconds = time.perf_counter() - self._step_began
        self._interval_seconds += seconds
        self._interval_steps += progress.step - before
        progress.seconds += seconds
        state = self._state(metrics, progress.step - before)
        self._fitting.listener.step_done(state)
        if self._is_out_of_time():
            self._stop(f"max_seconds={self._fitting.config.max_seconds:g} reached")
            due = self._due(before)
        self._act(state, due)
        self._step_began = time.perf_counter()

    def _due(self, before: int) -> frozenset[str]:
        """What is due after the steps since `before`: "log", "evaluation", "save"."""
        progress, config = self._progress, self._fitting.config
        ends_epoch = progress.step % progress.steps_per_epoch == 0
        ends_run = progress.step == progress.total_steps or progress.is_finished

        def is_reached(interval: int | None) -> bool:
            if interval is None:
                return ends_epoch
            return progress.step // interval > before // interval

        due = {
            "log": ends_epoch or is_reached(config.log_interval),
            "evaluation": self._fitting.evaluates
            and (ends_run or is_reached(config.eval_interval)),
            "save": ends_run or is_reached(config.save_ckpt_interval),
        }
        return frozenset(name for name, is_due in due.items() if is_due)

    def _act(self, state: RunState, due: frozenset[str]) -> None:
        if due:
            self._check_finite(state)
        if due & {"evaluation", "save"}:
            agree_on_statistics(self._fitting.part.classifier)
        if "log" in due:
            self._fitting.listener.log_due(state)
            self._interval_steps, self._interval_seconds = 0, 0.0
        began = time.perf_counter()
        if "evaluation" in due:
            self._fitting.listener.evaluation_due(state)
            self._stop_early()
        self._progress.seconds += time.perf_counter() - began
        if "save" in due or self._progress.is_finished:
            self._fitting.listener.save_due()

    def _state(self, metrics: Mapping[str, float], num_steps: int) -> RunState:
        progress = self._progress
        return RunState(
            step=progress.step,
            total_steps=progress.total_steps,
            epoch=(progress.step - 1) // progress.steps_per_epoch,
            metrics=metrics,
            run_examples=self._interval_steps * self._fitting.part.stream.batch_size,
            run_time_used=self._interval_seconds,
            num_steps=num_steps,
        )

    def _check_finite(self, state: RunState) -> None:
        if math.isfinite(state.metrics.get("loss", 0.0)):
            return
        raise TrainingError(
            f"the loss is {state.metrics['loss']} at step {state.step}.\n"
            "  The last saved state and the best model so far are kept.\n"
            "  Lower the strategy's learning_rate, or compute with mixed_precision='float32'."
        )

    def _stop_early(self) -> None:
        patience = self._fitting.config.early_stopping
        waited = self._progress.evaluations_since_best()
        if patience is not None and waited >= patience:
            self._stop(f"no better score in {waited} evaluations (early_stopping={patience})")

    def _is_out_of_time(self) -> bool:
        limit = self._fitting.config.max_seconds
        return limit is not None and self._progress.seconds >= limit

    def _stop(self, reason: str) -> None:
        self.model.stop_training = True
        self._progress.is_finished = True
        self._progress.stop_reason = reason

    def _restore_metrics(self, state_folder: Path) -> None:
        # Keras builds metrics at their first use; one batch of nothing builds them.
        spec = self._fitting.part.stream.batches(0, 1).element_spec
        nothing = tf.nest.map_structure(lambda one: tf.zeros(one.shape, one.dtype), spec)
        self.model.evaluate(tf.data.Dataset.from_tensors(nothing), verbose=0, return_dict=True)
        restore_metrics(state_folder, self.model)
