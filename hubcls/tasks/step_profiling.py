"""The profile of a task's training steps, on a copy of its classifier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hubcls.tasks.assembling import assemble
from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.training.profiling import StepProfile, profile_steps


def profile_task(
    task: ImageClassifierTask, *, num_steps: int = 10, trace: Path | None = None
) -> StepProfile:
    """Where the time of the steps of a task's first epoch goes, on one device.

    A copy of the classifier is trained; the task itself stays as it is. Where the run would
    train on kept features, those that are missing are computed first.

    Args:
        task: module, data and settings.
        num_steps: how many are timed of each kind.
        trace: folder to write TensorBoard's profile to.

    Raises:
        ConfigError: num_steps is below 1.
        TrainingError: several views are asked for, but cannot be kept.
    """
    config = replace(task.config, distribution="one_device", steps_per_execution=1)
    assembly = assemble(task.ingredients, config, task.head)
    assembly.plan.set_trainable(assembly.groups, 0)
    assembly.part.refresh()
    return profile_steps(assembly.part, num_steps=num_steps, trace=trace)
