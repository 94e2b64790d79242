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
    """Where the time of the steps goes that a task would begin with, on one device.

    A copy of the classifier is trained; the task itself stays as it is.

    Args:
        task: module, data and settings.
        num_steps: how many are timed of each kind.
        trace: folder to write TensorBoard's profile to.

    Raises:
        ConfigError: num_steps is below 1.
    """
    config = replace(task.config, distribution="one_device", steps_per_execution=1)
    assembly = assemble(task.ingredients, config, task.head)
    assembly.plan.set_trainable(assembly.groups, 0)
    return profile_steps(assembly.classifier, assembly.stream, num_steps=num_steps, trace=trace)
