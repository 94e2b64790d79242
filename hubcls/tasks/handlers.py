"""What a task does by itself at each event: the hooks called "default"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubcls.logs import EVAL, TRAIN, logger
from hubcls.training.fitting import learning_rate
from hubcls.training.hooks import Handler
from hubcls.training.run_state import RunState

if TYPE_CHECKING:  # a handler is given its task; importing it would go in a circle
    from hubcls.tasks.image_classifier import ImageClassifierTask


def build_env_start(task: ImageClassifierTask) -> None:
    """Say what is being built."""
    logger.info("building the classifier on %s", task.ingredients.module["name"])


def build_env_end(task: ImageClassifierTask) -> None:
    """Say what the run will compute on, with which batch."""
    logger.info("%s", task.describe_run())


def finetune_start(task: ImageClassifierTask) -> None:
    """Say where the run begins."""
    progress = task.progress
    if progress.step:
        logger.info("going on at step %d / %d", progress.step, progress.total_steps)
    else:
        logger.info("fine-tuning starts: %d steps", progress.total_steps)


def finetune_end(task: ImageClassifierTask, run_states: list[RunState]) -> None:
    """Say why and when the run ended."""
    progress = task.progress
    reason = f" ({progress.stop_reason})" if progress.stop_reason else ""
    logger.info(
        "fine-tuning ended at step %d / %d after %.0f s%s",
        progress.step,
        progress.total_steps,
        progress.seconds,
        reason,
    )


def log_interval(task: ImageClassifierTask, run_states: list[RunState]) -> None:
    """Write a log line and TensorBoard's training curves."""
    state = run_states[-1]
    logger.log(
        TRAIN,
        "step %d / %d: %s [%.1f images/s]",
        state.step,
        state.total_steps,
        _figures(state),
        state.run_speed,
    )
    scalars = {
        **state.metrics,
        "learning_rate": learning_rate(task.classifier),
        "images_per_second": state.run_speed,
    }
    for name, value in scalars.items():
        task.visualization.scalar(f"train/{name}", value, state.step)


def eval_interval(task: ImageClassifierTask) -> None:
    """Evaluate the validation split and keep the model when it is the best so far."""
    task.record(task.eval("val"))
    if task.is_best_so_far():
        task.save_best_model()


def save_ckpt_interval(task: ImageClassifierTask) -> None:
    """Write the resumable state."""
    task.save_checkpoint()


def eval_start(task: ImageClassifierTask) -> None:
    """Say which split is evaluated."""
    logger.debug("evaluating the %s split", task.phase)


def eval_end(task: ImageClassifierTask, run_states: list[RunState]) -> None:
    """Write a log line."""
    state = run_states[-1]
    logger.log(
        EVAL,
        "[%s dataset evaluation result] %s [%.1f images/s]",
        task.phase,
        _figures(state),
        state.run_speed,
    )


def run_step(task: ImageClassifierTask, run_state: RunState) -> None:
    """Move the progress bar."""
    task.advance(run_state.num_steps)


def predict_start(task: ImageClassifierTask) -> None:
    """Say that prediction begins."""
    logger.debug("prediction starts")


def predict_end(task: ImageClassifierTask, run_states: list[RunState]) -> None:
    """Say that prediction has ended."""
    logger.debug("prediction ended")


DEFAULTS: dict[str, Handler] = {
    "build_env_start_event": build_env_start,
    "build_env_end_event": build_env_end,
    "finetune_start_event": finetune_start,
    "finetune_end_event": finetune_end,
    "predict_start_event": predict_start,
    "predict_end_event": predict_end,
    "eval_start_event": eval_start,
    "eval_end_event": eval_end,
    "log_interval_event": log_interval,
    "save_ckpt_interval_event": save_ckpt_interval,
    "eval_interval_event": eval_interval,
    "run_step_event": run_step,
}


def _figures(state: RunState) -> str:
    return " ".join(f"{name}={value:.4f}" for name, value in state.metrics.items())
