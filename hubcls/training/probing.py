"""The linear probe: the best linear head on a backbone's frozen features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.optimize
from threadpoolctl import threadpool_limits

from hubcls.errors import TrainingError

# Inverse regularisation strengths that are tried, from strong to weak.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_CERTAIN = 10.0  # log-odds
_ROWS_AT_A_TIME = 4096
_OPTIONS = {"maxiter": 300, "gtol": 1e-4, "ftol": 1e-7}

# Logits and targets [n, C] to the loss of each number and its derivative by the logit.
_Link = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class FeatureRows(Protocol):
    """Features in memory, or read where they are kept."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of images and of features."""

    def __getitem__(self, rows: slice) -> npt.NDArray[np.float32]:
        """Rows one after the other, float32 [n, D]."""


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
    train: tuple[FeatureRows, np.ndarray],
    val: tuple[FeatureRows, np.ndarray],
    *,
    num_classes: int,
    class_weights: Mapping[int, float] | None = None,
) -> Probe:
    """Logistic regression, its strength chosen on validation.

    Multinomial for one class an image; one against the rest where images show several.
    SciPy's L-BFGS-B solves it (Byrd et al. 1995, SIAM J. Sci. Comput. 16), from the strongest
    regularisation on and each from the last one's solution, until validation gets worse.
    Features are centred and scaled for the solver, and read some thousands at a time; the
    returned kernel and bias apply to the features as they are.

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
    head = (_Several if labels.ndim == 2 else _OneOf)(labels, num_classes, class_weights)
    problem = _Regression(features, head)
    val_targets = head.targets(val[1])
    tried: list[Probe] = []
    solution = np.zeros((features.shape[1] + 1, head.num_columns))
    for strength in STRENGTHS:
        solution = problem.solved(strength, start=solution)
        kernel, bias = head.full(*problem.plain(solution))
        loss = _mean_loss(val[0], val_targets, kernel, bias, head.link) / head.losses_an_image
        if not np.isfinite(loss):
            raise TrainingError("the probe found no finite solution; are the features finite?")
        tried.append(Probe(kernel.astype(np.float32), bias.astype(np.float32), strength, loss))
        if len(tried) > 1 and loss >= tried[-2].val_log_loss:
            break
    return min(tried, key=lambda probe: probe.val_log_loss)


class _OneOf:
    """One class an image: a softmax over the classes that have examples."""

    def __init__(
        self, labels: np.ndarray, num_classes: int, class_weights: Mapping[int, float] | None
    ) -> None:
        self._num_classes = num_classes
        self.losses_an_image = 1
        self._present = np.unique(labels)
        if len(self._present) < 2:
            raise TrainingError("a probe needs training examples of at least two classes")
        self.num_columns = len(self._present)
        self.train_targets = self.targets(labels)[:, self._present]
        weights = class_weights or {}
        self.weights = np.array([weights.get(int(label), 1.0) for label in labels], np.float32)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """One number for each class, float32 [n, C]."""
        targets: np.ndarray = np.eye(self._num_classes, dtype=np.float32)[labels]
        return targets

    def full(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns for all classes: one without examples must not win."""
        all_kernels = np.zeros((len(kernel), self._num_classes))
        all_biases = np.full(self._num_classes, bias.min() - _CERTAIN)
        all_kernels[:, self._present], all_biases[self._present] = kernel, bias
        return all_kernels, all_biases

    @staticmethod
    def link(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shifted = logits - logits.max(axis=1, keepdims=True)
        powers = np.exp(shifted)
        sums = powers.sum(axis=1, keepdims=True)
        return targets * (np.log(sums) - shifted), powers / sums - targets


class _Several:
    """Several classes an image: each against the rest."""

    def __init__(
        self, labels: np.ndarray, num_classes: int, class_weights: Mapping[int, float] | None
    ) -> None:
        del class_weights  # for one class an image
        # What no training image shows, or each of them does, stays so.
        self._varied = np.flatnonzero(labels.any(axis=0) & ~labels.all(axis=0))
        self._certain = np.where(labels.any(axis=0), _CERTAIN, -_CERTAIN)
        if not len(self._varied):
            raise TrainingError("a probe needs a class that some training images show, not all")
        self._num_classes = self.losses_an_image = num_classes
        self.num_columns = len(self._varied)
        self.train_targets = self.targets(labels)[:, self._varied]
        self.weights = np.ones(len(labels), np.float32)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """One number for each class, float32 [n, C]."""
        return labels.astype(np.float32)

    def full(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns for all classes."""
        all_kernels, all_biases = np.zeros((len(kernel), self._num_classes)), self._certain.copy()
        all_kernels[:, self._varied], all_biases[self._varied] = kernel, bias
        return all_kernels, all_biases

    @staticmethod
    def link(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rest = np.exp(-np.abs(logits))
        positive = np.where(logits >= 0, 1.0, rest) / (1.0 + rest)
        losses = np.maximum(logits, 0) - logits * targets + np.log1p(rest)
        return losses, positive - targets


class _Regression:
    """The regularised mean loss over training features, as a function of a head.

    A head is [D + 1, C] in the scaled features, the bias last. Its regularisation, as in
    scikit-learn, is half the squared norm of the kernel over strength times images.
    """

    def __init__(self, features: FeatureRows, head: _OneOf | _Several) -> None:
        self._features = features
        self._head = head
        self._mean, self._scale = _mean_and_scale(features)

    def solved(self, strength: float, *, start: np.ndarray) -> np.ndarray:
        """The best head at a strength."""
        penalty = 1.0 / (strength * self._features.shape[0])

        def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient = self._value(flat.reshape(start.shape))
            kernel = flat.reshape(start.shape)[:-1]
            gradient[:-1] += penalty * kernel
            return loss + 0.5 * penalty * float((kernel**2).sum()), gradient.ravel()

        # Threads wait for each other in every product. Measured with 1,280 features on two
        # cores, with 10, 100 and 1,000 classes: with both cores idle, two threads evaluate in
        # 0.7, 0.6 and 0.7 of the time; beside other processes, they solve in 4 to 6, 3 and 1
        # to 1.5 times as much. At no number of classes is the gain worth that loss.
        with threadpool_limits(1, user_api="blas"):
            found = scipy.optimize.minimize(
                value, start.ravel(), jac=True, method="L-BFGS-B", options=_OPTIONS
            )
        solution: np.ndarray = np.asarray(found.x).reshape(start.shape)
        return solution

    def plain(self, solution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias for features as they are."""
        kernel: np.ndarray = solution[:-1] / self._scale[:, None]
        return kernel, solution[-1] - self._mean @ kernel

    def _value(self, head: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = (part.astype(np.float32) for part in self.plain(head))
        total, of_kernel, of_bias = 0.0, np.zeros_like(kernel), np.zeros(len(bias))
        for rows, features in _chunks(self._features):
            weights = self._head.weights[rows, None]
            losses, slopes = self._head.link(
                features @ kernel + bias, self._head.train_targets[rows]
            )
            total += float((losses * weights).sum())
            slopes = slopes * weights
            of_kernel += features.T @ slopes
            of_bias += slopes.sum(axis=0)
        of_scaled = (of_kernel - np.outer(self._mean, of_bias)) / self._scale[:, None]
        count = self._features.shape[0]
        return total / count, np.concatenate([of_scaled, of_bias[None]]) / count


def _mean_loss(
    features: FeatureRows, targets: np.ndarray, kernel: np.ndarray, bias: np.ndarray, link: _Link
) -> float:
    total = sum(
        float(link(values @ kernel + bias, targets[rows])[0].sum())
        for rows, values in _chunks(features)
    )
    return total / features.shape[0]


def _chunks(features: FeatureRows) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, features.shape[0], _ROWS_AT_A_TIME):
        rows = slice(start, start + _ROWS_AT_A_TIME)
        yield rows, features[rows]


def _mean_and_scale(features: FeatureRows) -> tuple[np.ndarray, np.ndarray]:
    """Each feature's mean and deviation, but none below their root mean square.

    A feature that hardly ever fires would otherwise get a huge weight; fine-tuning from
    such a head tears the features apart, for the gradient reaches them through it.
    """
    count = features.shape[0]
    mean = sum(values.sum(axis=0, dtype=np.float64) for _, values in _chunks(features)) / count
    squares = sum(((values - mean) ** 2).sum(axis=0) for _, values in _chunks(features))
    deviations = np.sqrt(squares / count)
    floor = float(np.sqrt(np.mean(deviations**2)))
    return mean, np.maximum(deviations, floor if floor > 0 else 1.0)
