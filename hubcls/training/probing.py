"""The linear probe: the best linear head on a backbone's frozen features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from hubcls.errors import TrainingError

# Inverse regularisation strengths that are tried, from strong to weak.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_CERTAIN = 10.0  # log-odds


@dataclass(frozen=True)
class Probe:
    """A solved linear head.

    Attributes:
        kernel: float32 [features, classes].
        bias: float32 [classes].
        strength: the inverse regularisation that did best on validation.
        val_log_loss: its mean negative log-likelihood there.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    val_log_loss: float


def solve_probe(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    *,
    num_classes: int,
    class_weights: Mapping[int, float] | None = None,
) -> Probe:
    """Logistic regression, its strength chosen on validation.

    Multinomial for one class an image; one against the rest, class by class, where images
    show several. Features are centred and scaled for the solver; this is then folded into
    the returned kernel and bias, so that they apply to the features as they are.

    Args:
        train: features float32 [N, D] and labels int [N], or 0 and 1 for each class [N, C].
        val: the same of the validation split.
        num_classes: C; a class that `train` lacks gets weights of zero and a low bias.
        class_weights: weight of each label in the loss, for one class an image.

    Raises:
        TrainingError: fewer than two classes have training examples, or the features are
            not finite.
    """
    features, labels = train
    kind = _Several if labels.ndim == 2 else _OneOf
    head = kind(num_classes, class_weights)
    mean, scale = features.mean(axis=0), _scale(features)
    scaled, val_scaled = (features - mean) / scale, (val[0] - mean) / scale
    best: Probe | None = None
    for strength in STRENGTHS:
        kernel, bias = head.solved(scaled, labels, strength)
        loss = head.loss(val_scaled @ kernel + bias, val[1])
        if best is None or loss < best.val_log_loss:
            plain = kernel / scale[:, None]
            best = Probe(_float32(plain), _float32(bias - mean @ plain), strength, loss)
    if best is None:
        raise TrainingError("the probe found no finite solution; are the features finite?")
    return best


class _OneOf:
    """One multinomial regression; each strength starts from the solution of the last."""

    def __init__(self, num_classes: int, class_weights: Mapping[int, float] | None) -> None:
        self._num_classes = num_classes
        self._solver = _solver(class_weights)

    def solved(
        self, features: np.ndarray, labels: np.ndarray, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        present = np.unique(labels)
        if len(present) < 2:
            raise TrainingError("a probe needs training examples of at least two classes")
        self._solver.set_params(C=strength).fit(features, labels)
        return _full_head(self._solver, present, self._num_classes)

    def loss(self, logits: np.ndarray, labels: np.ndarray) -> float:
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        return float(log_loss(labels, probabilities, labels=np.arange(logits.shape[1])))


class _Several:
    """A regression for each class against the rest."""

    def __init__(self, num_classes: int, class_weights: Mapping[int, float] | None) -> None:
        self._solvers = [_solver(class_weights) for _ in range(num_classes)]

    def solved(
        self, features: np.ndarray, labels: np.ndarray, strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        kernel = np.zeros((features.shape[1], len(self._solvers)))
        # What no training image shows, or each of them does, stays so.
        bias = np.where(labels.any(axis=0), _CERTAIN, -_CERTAIN)
        for place, (solver, shown) in enumerate(zip(self._solvers, labels.T, strict=True)):
            if shown.any() and not shown.all():
                solver.set_params(C=strength).fit(features, shown)
                kernel[:, place], bias[place] = solver.coef_[0], solver.intercept_[0]
        return kernel, bias

    def loss(self, logits: np.ndarray, labels: np.ndarray) -> float:
        return float(np.logaddexp(0, np.where(labels, -logits, logits)).mean())


def _solver(class_weights: Mapping[int, float] | None) -> LogisticRegression:
    return LogisticRegression(
        max_iter=300,
        warm_start=True,
        class_weight=None if class_weights is None else dict(class_weights),
    )


def _full_head(
    solver: LogisticRegression, present: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    coefficients, intercepts = solver.coef_, solver.intercept_
    if len(present) == 2:
        # scikit-learn solves two classes with one vector, the second class's log-odds.
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    kernel = np.zeros((coefficients.shape[1], num_classes))
    # A class without examples must not win: its score is below every other.
    bias = np.full(num_classes, intercepts.min() - _CERTAIN)
    kernel[:, present] = coefficients.T
    bias[present] = intercepts
    return kernel, bias


def _scale(features: np.ndarray) -> np.ndarray:
    """Each feature's deviation, but none below their root mean square.

    A feature that hardly ever fires would otherwise get a huge weight; fine-tuning from
    such a head tears the features apart, for the gradient reaches them through it.
    """
    deviations: np.ndarray = features.std(axis=0)
    floor = float(np.sqrt(np.mean(deviations**2)))
    scale: np.ndarray = np.maximum(deviations, floor if floor > 0 else 1.0)
    return scale


def _float32(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)
