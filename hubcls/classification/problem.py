"""What kind of classification is learned: targets, loss and training metrics in one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from hubcls.classification.predictions import log_softmax, softmax
from hubcls.errors import ConfigError


class Problem(Protocol):
    """What training, evaluation and prediction ask of every kind of classification."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; the position is the class id."""

    @property
    def num_classes(self) -> int:
        """Number of logits."""

    def targets(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """What the loss compares logits with, float32 [N, C]."""

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """The Keras loss from logits."""

    def train_metrics(self) -> list[keras.metrics.Metric]:
        """New Keras metrics to show during training."""

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Probability of each class, float32 [N, C]."""

    def cross_entropy(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Mean loss over the examples, without label smoothing."""

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types, for a bundle."""


@dataclass(frozen=True)
class SingleLabel:
    """Each image shows exactly one of the classes.

    Attributes:
        class_names: the position is the class id.
    """

    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse names that cannot be told apart.

        Raises:
            ConfigError: there are fewer than two classes, or two of the same name.
        """
        repeated = sorted({name for name in self.class_names if self.class_names.count(name) > 1})
        if len(self.class_names) < 2:
            raise ConfigError(f"classification needs two classes or more, not {self.class_names}")
        if repeated:
            raise ConfigError(f"class names must differ; given more than once: {repeated}")

    @property
    def num_classes(self) -> int:
        """Number of logits."""
        return len(self.class_names)

    def targets(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """One-hot rows, float32 [N, C].

        Args:
            labels: int [N], each in [0, C).

        Raises:
            ConfigError: a label is outside that range.
        """
        ids = checked_labels(labels, self.num_classes)
        return np.eye(self.num_classes, dtype=np.float32)[ids]

    def loss(self, label_smoothing: float = 0.0) -> keras.losses.Loss:
        """Softmax cross-entropy from logits."""
        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=label_smoothing, name="loss"
        )

    def train_metrics(self) -> list[keras.metrics.Metric]:
        """The share of right answers, under PaddleHub's name "acc"."""
        return [keras.metrics.CategoricalAccuracy(name="acc")]

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Softmax of each row, float32 [N, C]."""
        return softmax(logits)

    def cross_entropy(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Mean negative log-probability of the true classes."""
        ids = checked_labels(labels, self.num_classes)
        return float(-log_softmax(logits)[np.arange(len(ids)), ids].mean())

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types, for a bundle."""
        return {"kind": "single_label", "class_names": list(self.class_names)}


def problem_from_dict(values: dict[str, Any]) -> Problem:
    """The inverse of `Problem.as_dict`.

    Raises:
        ConfigError: the kind is unknown.
    """
    if values.get("kind") != "single_label":
        raise ConfigError(f'the kind of problem must be "single_label", not {values.get("kind")!r}')
    return SingleLabel(tuple(values["class_names"]))


def checked_labels(labels: npt.ArrayLike, num_classes: int) -> npt.NDArray[np.int64]:
    """The labels as int64 [N].

    Raises:
        ConfigError: they are not whole numbers in [0, num_classes), or not one-dimensional.
    """
    ids = np.asarray(labels)
    if ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or ids.size == 0):
        raise ConfigError(f"labels must be whole numbers [N], not {ids.dtype} {list(ids.shape)}")
    outside = np.unique(ids[(ids < 0) | (ids >= num_classes)])
    if outside.size:
        raise ConfigError(
            f"labels must lie in [0, {num_classes}); found {', '.join(map(str, outside[:10]))}"
        )
    return ids.astype(np.int64)
