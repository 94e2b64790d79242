"""Figures of merit over logits and labels, in NumPy and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics

from hubcls.classification.problem import Problem, checked_labels
from hubcls.errors import ConfigError, TrainingError, UnknownNameError
from hubcls.logs import logger


@dataclass(frozen=True)
class Answers:
    """Everything that a metric may look at.

    Attributes:
        logits: float64 [N, C], finite.
        labels: int64 [N], each in [0, C).
        predicted: int64 [N], the class with the greatest logit; the first among equals.
        problem: turns logits into probabilities and losses.
    """

    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    problem: Problem


def answers(logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem) -> Answers:
    """Logits and labels, checked.

    Raises:
        ConfigError: there is no example, or shapes do not fit, or a label is out of range.
        TrainingError: a logit is NaN or infinite.
    """
    scores = np.asarray(logits, dtype=np.float64)
    ids = checked_labels(labels, problem.num_classes)
    if len(ids) == 0:
        raise ConfigError("metrics need at least one example")
    if scores.shape != (len(ids), problem.num_classes):
        raise ConfigError(
            f"{len(ids)} labels of {problem.num_classes} classes need logits "
            f"[{len(ids)}, {problem.num_classes}], not {list(scores.shape)}"
        )
    broken = int((~np.isfinite(scores)).any(axis=1).sum())
    if broken:
        raise TrainingError(
            f"the logits of {broken} of {len(ids)} examples are NaN or infinite: training has "
            "diverged. Lower the learning rate, or go back to an earlier checkpoint."
        )
    return Answers(scores, ids, scores.argmax(axis=1), problem)


def compute(
    names: Sequence[str], logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> dict[str, float]:
    """The metrics called `names`, in that order and under those names.

    Args:
        names: from `names()` of this file: "accuracy" or "acc", "top5", "f1",
            "weighted_f1", "precision", "recall", "matthews", "auc", "log_loss".
        logits: float [N, C].
        labels: int [N].
        problem: holds the classes.

    Returns:
        A number for each name. "auc" is NaN when a class has no example, and the log
        says which.

    Raises:
        UnknownNameError: a name is in no table.
    """
    functions = {name: find_metric(name) for name in names}
    checked = answers(logits, labels, problem)
    return {name: function(checked) for name, function in functions.items()}


def find_metric(name: str) -> Callable[[Answers], float]:
    """The function behind a metric's name.

    Raises:
        UnknownNameError: the name is in no table.
    """
    if name not in _METRICS:
        raise UnknownNameError("metric", name, _METRICS)
    return _METRICS[name]


def names() -> tuple[str, ...]:
    """The names of all metrics."""
    return tuple(_METRICS)


def is_better(name: str, score: float, best: float | None) -> bool:
    """Whether `score` beats `best`; a loss is better when lower, NaN never is."""
    find_metric(name)
    if best is None or np.isnan(best):
        return not np.isnan(score)
    return score < best if name in _LOWER_IS_BETTER else score > best


def confusion(
    logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> npt.NDArray[np.int64]:
    """How often class i (row) was taken for class j (column), int64 [C, C]."""
    checked = answers(logits, labels, problem)
    matrix: npt.NDArray[np.int64] = sklearn.metrics.confusion_matrix(
        checked.labels, checked.predicted, labels=np.arange(problem.num_classes)
    )
    return matrix


def per_class(
    logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> list[dict[str, Any]]:
    """One row for each class: class_name, precision, recall, f1, auc, num_examples.

    Precision is 0 for a class that was never predicted, recall for one without examples;
    the AUC is NaN for a class that all examples, or none, belong to.
    """
    checked = answers(logits, labels, problem)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        checked.labels,
        checked.predicted,
        labels=np.arange(problem.num_classes),
        average=None,
        zero_division=0,
    )
    areas = _class_areas(checked)
    return [
        {
            "class_name": name,
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "auc": float(areas[index]),
            "num_examples": int(support[index]),
        }
        for index, name in enumerate(problem.class_names)
    ]


def _accuracy(given: Answers) -> float:
    return float((given.predicted == given.labels).mean())


def _top5(given: Answers) -> float:
    """Share of examples whose class is among the five greatest logits.

    With five classes or fewer it is 1 by definition. Among equal logits the lower class
    id ranks first, so that top-1 would equal the accuracy.
    """
    own = given.logits[np.arange(len(given.labels)), given.labels][:, None]
    ids = np.arange(given.logits.shape[1])
    ahead = (given.logits > own) | ((given.logits == own) & (ids < given.labels[:, None]))
    return float((ahead.sum(axis=1) < 5).mean())


def _macro_f1(given: Answers) -> float:
    """Mean over the classes that occur among labels or predictions, as in scikit-learn."""
    return _score(sklearn.metrics.f1_score, given, average="macro")


def _weighted_f1(given: Answers) -> float:
    return _score(sklearn.metrics.f1_score, given, average="weighted")


def _precision(given: Answers) -> float:
    """Mean over classes; PaddleHub's took class 1 alone, whatever the number of classes."""
    return _score(sklearn.metrics.precision_score, given, average="macro")


def _recall(given: Answers) -> float:
    """Mean over classes; PaddleHub's took class 1 alone, whatever the number of classes."""
    return _score(sklearn.metrics.recall_score, given, average="macro")


def _matthews(given: Answers) -> float:
    return float(sklearn.metrics.matthews_corrcoef(given.labels, given.predicted))


def _log_loss(given: Answers) -> float:
    return given.problem.cross_entropy(given.logits, given.labels)


def _auc(given: Answers) -> float:
    """Mean over classes of the area under the ROC curve of that class against the rest."""
    areas = _class_areas(given)
    missing = [
        name for name, area in zip(given.problem.class_names, areas, strict=True) if np.isnan(area)
    ]
    if missing:
        logger.warning(
            "auc is undefined (NaN): it compares examples in and out of each class, and here "
            "all or none of the %d examples belong to: %s",
            len(given.labels),
            ", ".join(missing[:10]) + (" …" if len(missing) > 10 else ""),
        )
    return float(np.mean(areas))


def _class_areas(given: Answers) -> npt.NDArray[np.float64]:
    probabilities = given.problem.probabilities(given.logits)
    areas = np.full(given.problem.num_classes, np.nan)
    for index in range(given.problem.num_classes):
        is_member = given.labels == index
        if is_member.any() and not is_member.all():
            areas[index] = sklearn.metrics.roc_auc_score(is_member, probabilities[:, index])
    return areas


def _score(function: Callable[..., float], given: Answers, *, average: str) -> float:
    return float(function(given.labels, given.predicted, average=average, zero_division=0))


_METRICS: dict[str, Callable[[Answers], float]] = {
    "accuracy": _accuracy,
    "acc": _accuracy,
    "top5": _top5,
    "f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "precision": _precision,
    "recall": _recall,
    "matthews": _matthews,
    "auc": _auc,
    "log_loss": _log_loss,
}
_LOWER_IS_BETTER = frozenset({"log_loss"})
