"""Figures of merit over logits and labels, in NumPy and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics

from hubcls.classification.problem import Problem
from hubcls.errors import ConfigError, TrainingError, UnknownNameError
from hubcls.logs import logger


@dataclass(frozen=True)
class Answers:
    """Everything that a metric may look at.

    Attributes:
        logits: float64 [N, C], finite.
        labels: int64, the problem's: classes [N], or 0 and 1 for each class [N, C].
        predicted: what the problem makes of the logits, in the form of the labels.
        problem: turns logits into probabilities and losses.
    """

    logits: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    predicted: npt.NDArray[Any]
    problem: Problem


def answers(logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem) -> Answers:
    """Logits and labels, checked.

    Raises:
        ConfigError: there is no example, or shapes do not fit, or a label is out of range.
        TrainingError: a logit is NaN or infinite.
    """
    scores = np.asarray(logits, dtype=np.float64)
    ids = problem.checked(labels)
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
    return Answers(scores, ids, problem.predicted(scores), problem)


def compute(
    names: Sequence[str], logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> dict[str, float]:
    """The metrics called `names`, in that order and under those names.

    Args:
        names: from `names()` of this file: "map", "auc", "f1", "micro_f1", "weighted_f1",
            "precision", "recall" and "log_loss"; for one class an image also "accuracy" or
            "acc", "top5" and "matthews", for several "exact_match" and "hamming_loss".
        logits: float [N, C].
        labels: int [N], or 0 and 1 for each class [N, C].
        problem: holds the classes.

    Returns:
        A number for each name. "auc" and "map" are NaN when a class has no example, and
        the log says which.

    Raises:
        UnknownNameError: a name is in no table.
    """
    functions = {name: find_metric(name, problem) for name in names}
    checked = answers(logits, labels, problem)
    return {name: function(checked) for name, function in functions.items()}


def find_metric(name: str, problem: Problem) -> Callable[[Answers], float]:
    """The function behind a metric's name.

    Raises:
        UnknownNameError: the problem knows no such metric.
    """
    known = names(is_multi_label=problem.is_multi_label)
    if name not in known:
        raise UnknownNameError("metric", name, known)
    return _METRICS[name]


def names(*, is_multi_label: bool = False) -> tuple[str, ...]:
    """The names of all metrics of one kind of problem."""
    left_out = _OF_ONE_CLASS if is_multi_label else _OF_SEVERAL_CLASSES
    return tuple(name for name in _METRICS if name not in left_out)


def is_better(name: str, score: float, best: float | None) -> bool:
    """Whether `score` beats `best`; a loss is better when lower, NaN never is."""
    if best is None or np.isnan(best):
        return not np.isnan(score)
    return score < best if name in _LOWER_IS_BETTER else score > best


def confusion(
    logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> npt.NDArray[np.int64]:
    """How often class i (row) was taken for class j (column), int64 [C, C].

    Where images show several classes: for each class, whether it is shown (row) against
    whether it was predicted (column), int64 [C, 2, 2].
    """
    checked = answers(logits, labels, problem)
    if problem.is_multi_label:
        tables: npt.NDArray[np.int64] = sklearn.metrics.multilabel_confusion_matrix(
            checked.labels, checked.predicted
        )
        return tables
    matrix: npt.NDArray[np.int64] = sklearn.metrics.confusion_matrix(
        checked.labels, checked.predicted, labels=np.arange(problem.num_classes)
    )
    return matrix


def per_class(
    logits: npt.ArrayLike, labels: npt.ArrayLike, problem: Problem
) -> list[dict[str, Any]]:
    """One row for each class: class_name, precision, recall, f1, auc, ap, num_examples.

    Precision is 0 for a class that was never predicted, recall for one without examples;
    the AUC is NaN for a class that all examples, or none, belong to, and the average
    precision for one without examples.
    """
    checked = answers(logits, labels, problem)
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        checked.labels,
        checked.predicted,
        labels=np.arange(problem.num_classes),
        average=None,
        zero_division=0,
    )
    areas, average_precisions = _class_areas(checked), _class_average_precisions(checked)
    return [
        {
            "class_name": name,
            "precision": float(precision[index]),
            "recall": float(recall[index]),
            "f1": float(f1[index]),
            "auc": float(areas[index]),
            "ap": float(average_precisions[index]),
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


def _exact_match(given: Answers) -> float:
    """Share of the images of which every class is told right."""
    return float((given.predicted == given.labels.astype(np.bool_)).all(axis=1).mean())


def _hamming_loss(given: Answers) -> float:
    """Share of wrong answers to "does the image show this class?"."""
    return float((given.predicted != given.labels.astype(np.bool_)).mean())


def _mean_average_precision(given: Answers) -> float:
    """Mean over classes of the area under the precision-recall curve, summed step by step."""
    return _class_mean("map", _class_average_precisions(given), given)


def _micro_f1(given: Answers) -> float:
    """F1 of all answers together, whatever their class."""
    return _score(sklearn.metrics.f1_score, given, average="micro")


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
    return _class_mean("auc", _class_areas(given), given)


def _class_mean(metric: str, values: npt.NDArray[np.float64], given: Answers) -> float:
    missing = [
        name
        for name, value in zip(given.problem.class_names, values, strict=True)
        if np.isnan(value)
    ]
    if missing:
        logger.warning(
            "%s is undefined (NaN): it compares examples in and out of each class, and here "
            "all or none of the %d examples belong to: %s",
            metric,
            len(given.labels),
            ", ".join(missing[:10]) + (" …" if len(missing) > 10 else ""),
        )
    return float(np.mean(values))


def _class_areas(given: Answers) -> npt.NDArray[np.float64]:
    members, probabilities = _members_and_probabilities(given)
    return np.array(
        [
            sklearn.metrics.roc_auc_score(is_member, shares)
            if is_member.any() and not is_member.all()
            else np.nan
            for is_member, shares in zip(members, probabilities, strict=True)
        ]
    )


def _class_average_precisions(given: Answers) -> npt.NDArray[np.float64]:
    members, probabilities = _members_and_probabilities(given)
    return np.array(
        [
            sklearn.metrics.average_precision_score(is_member, shares)
            if is_member.any()
            else np.nan
            for is_member, shares in zip(members, probabilities, strict=True)
        ]
    )


def _members_and_probabilities(
    given: Answers,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Class by class [C, N]: which examples belong to it, and how probable that is."""
    return given.problem.members(given.labels).T, given.problem.probabilities(given.logits).T


def _score(function: Callable[..., float], given: Answers, *, average: str) -> float:
    return float(function(given.labels, given.predicted, average=average, zero_division=0))


_METRICS: dict[str, Callable[[Answers], float]] = {
    "accuracy": _accuracy,
    "acc": _accuracy,
    "top5": _top5,
    "map": _mean_average_precision,
    "f1": _macro_f1,
    "micro_f1": _micro_f1,
    "weighted_f1": _weighted_f1,
    "precision": _precision,
    "recall": _recall,
    "matthews": _matthews,
    "auc": _auc,
    "exact_match": _exact_match,
    "hamming_loss": _hamming_loss,
    "log_loss": _log_loss,
}
_OF_ONE_CLASS = frozenset({"accuracy", "acc", "top5", "matthews"})
_OF_SEVERAL_CLASSES = frozenset({"exact_match", "hamming_loss"})
_LOWER_IS_BETTER = frozenset({"hamming_loss", "log_loss"})
