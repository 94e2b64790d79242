"""A learning rate for a task: the range test on a copy of its classifier."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from hubcls.evaluation.figures import BLUE, VERMILLION, png
from hubcls.logs import logger
from hubcls.tasks.assembling import assemble
from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.tasks.probe_start import start_from_probe
from hubcls.training.rate_test import RateTest, rate_test
from hubcls.writing import write_file


def find_learning_rate(
    task: ImageClassifierTask,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    num_steps: int = 100,
) -> RateTest:
    """A rate at which the loss of a task falls well, with its strategy's optimizer.

    Trains a copy of the classifier for `num_steps`, from the linear probe where the strategy
    starts from it; the task itself stays as it is, and nothing is written.

    Args:
        task: module, data and settings; its strategy's own learning rate does not matter.
        lowest: rate of the first step.
        highest: rate of the last.
        num_steps: batches to train on, at least 10.

    Raises:
        ConfigError: a number is out of range.
        TrainingError: the loss did not fall at any rate.
    """
    assembly = assemble(task.ingredients, task.config, task.head)
    if assembly.plan.starts_from_probe:
        start_from_probe(assembly, task.ingredients)
    assembly.plan.set_trainable(assembly.groups, 0)
    found = rate_test(
        assembly.classifier, assembly.stream, lowest=lowest, highest=highest, num_steps=num_steps
    )
    logger.info("suggested learning rate: %.2g", found.suggestion)
    return found


def write_rate_figure(path: Path, found: RateTest) -> None:
    """Draw the loss over the rate as a PNG file."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color=BLUE, alpha=0.3, label="each batch")
    axes.plot(found.rates, found.smoothed, color=BLUE, label="running mean")
    axes.axvline(
        found.suggestion, color=VERMILLION, linestyle="--", label=f"{found.suggestion:.2g}"
    )
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    write_file(path, png(figure))
