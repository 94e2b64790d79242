"""How well a classifier does on one split: logits, then every figure from them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from hubcls.classification.metrics import compute, confusion, find_metric, per_class
from hubcls.classification.problem import Problem
from hubcls.datasets.base import Split
from hubcls.errors import ConfigError
from hubcls.features.passing import logits_of
from hubcls.inference.outputs import batch_size_for
from hubcls.preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came out of one pass over a split; every example counts, once.

    Attributes:
        phase: the split's name.
        num_examples: how many images were judged.
        loss: mean cross-entropy, without label smoothing.
        scores: metric → value, in the order asked for; the first is the main one.
        per_class: a row for each class: class_name, precision, recall, f1, auc, ap,
            num_examples.
        confusion: int64 [C, C], how often class i (row) was taken for class j (column); for
            several classes an image [C, 2, 2], each class shown (row) and predicted (column).
        seconds: time from the first image read to the last logits.
        images_per_second: examples over seconds.
        fitted: the problem with thresholds chosen on these examples, which the scores do
            not use.
    """

    phase: str
    num_examples: int
    loss: float
    scores: dict[str, float]
    per_class: list[dict[str, Any]]
    confusion: npt.NDArray[np.int64]
    seconds: float
    images_per_second: float
    fitted: Problem

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types; what is not a finite number is None."""
        own = {name: value for name, value in vars(self).items() if name != "fitted"}
        if self.fitted.is_multi_label:
            own["thresholds"] = self.fitted.as_dict()["thresholds"]
        values: dict[str, Any] = as_json(own)
        return values


def evaluate(
    model: keras.Model,
    split: Split,
    *,
    problem: Problem,
    preprocessing: Preprocessing,
    batch_size: int,
    metrics: Sequence[str],
    phase: str = "val",
    backend: str = "auto",
) -> Evaluation:
    """Judge every example of a split.

    Args:
        model: images [B, H, W, 3] to logits.
        split: labelled images.
        problem: what the logits mean.
        preprocessing: how an image becomes the model's input.
        batch_size: over all devices together; the result does not depend on it.
        metrics: names from `hubcls.classification.metrics.names`, the main one first.
        phase: the split's name, for the report and the progress bar.
        backend: see `hubcls.inference.Inference`.

    Raises:
        ConfigError: the split is empty, or the model has another number of classes.
        UnknownNameError: a metric is in no table.
        TrainingError: logits are NaN or infinite.
    """
    for name in metrics:
        find_metric(name, problem)
    if model.output_shape[-1] != problem.num_classes:
        raise ConfigError(
            f"the model tells {model.output_shape[-1]} classes apart, "
            f"but the problem has {problem.num_classes}"
        )
    if len(split) == 0:
        raise ConfigError(f"the {phase} split has no examples to judge")
    start = time.perf_counter()
    size = batch_size_for(model, min(batch_size, len(split)))
    title = f"evaluating {phase}"
    logits = logits_of(model, split, preprocessing, batch_size=size, title=title, backend=backend)
    seconds = time.perf_counter() - start
    return Evaluation(
        phase=phase,
        num_examples=len(split),
        loss=problem.cross_entropy(logits, split.labels),
        scores=compute(metrics, logits, split.labels, problem),
        per_class=per_class(logits, split.labels, problem),
        confusion=confusion(logits, split.labels, problem),
        seconds=seconds,
        images_per_second=len(split) / seconds,
        fitted=problem.fitted(logits, split.labels),
    )


def as_json(value: Any) -> Any:
    """The value with tuples as lists, NumPy numbers as numbers, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
