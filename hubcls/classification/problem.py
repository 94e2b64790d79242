"""What kind of classification is learned: targets, loss and training metrics in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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

    @property
    def is_multi_label(self) -> bool:
        """Whether an image may show several classes, or none."""

    @property
    def main_metric(self) -> str:
        """The metric that decides where none is named."""

    def checked(self, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The labels in their form: int64 [N], or of 0 and 1 [N, C]."""

    def targets(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """What the loss compares logits with, float32 [N, C]."""

    def members(self, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether an image shows a class, bool [N, C]."""

    def loss(self, name: str = "cross_entropy", label_smoothing: float = 0.0) -> keras.losses.Loss:
        """The Keras loss from logits."""

    def train_metrics(self) -> list[keras.metrics.Metric]:
        """New Keras metrics to show during training."""

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Probability of each class, float32 [N, C]."""

    def predicted(self, logits: npt.ArrayLike) -> npt.NDArray[Any]:
        """What an image shows: the class int64 [N], or whether each class bool [N, C]."""

    def cross_entropy(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Mean cross-entropy over the examples, without label smoothing."""

    def fitted(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> Problem:
        """The same with whatever decides between classes chosen on these examples."""

    def renamed(self, class_names: Sequence[str] | None) -> Problem:
        """The same with other names for its classes, in their order; itself for None."""

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types, for a bundle."""


@dataclass(frozen=True)
class SingleLabel:
    """Each image shows exactly one of the classes.

    Attributes:
        class_names: the position is the class id.
    """

    class_names: tuple[str, ...]

    is_multi_label = False
    main_metric = "acc"

    def __post_init__(self) -> None:
        """Refuse names that cannot be told apart.

        Raises:
            ConfigError: there are fewer than two classes, or two of the same name.
        """
        checked_names(self.class_names, at_least=2)

    @property
    def num_classes(self) -> int:
        """Number of logits."""
        return len(self.class_names)

    def checked(self, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The labels as int64 [N].

        Raises:
            ConfigError: they are not whole numbers in [0, C), or not one-dimensional.
        """
        return checked_labels(labels, self.num_classes)

    def targets(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """One-hot rows, float32 [N, C].

        Args:
            labels: int [N], each in [0, C).

        Raises:
            ConfigError: a label is outside that range.
        """
        return np.eye(self.num_classes, dtype=np.float32)[self.checked(labels)]

    def members(self, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether an image shows a class, bool [N, C]."""
        return self.targets(labels).astype(np.bool_)

    def loss(self, name: str = "cross_entropy", label_smoothing: float = 0.0) -> keras.losses.Loss:
        """A loss from logits.

        Args:
            name: "cross_entropy" after a softmax, or "focal" (Lin et al. 2017,
                arXiv:1708.02002, equation 4 for several classes, gamma 2, without its alpha).
            label_smoothing: share of the target spread over all classes.

        Raises:
            ConfigError: the name is another.
        """
        if name == "cross_entropy":
            return keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=label_smoothing, name="loss"
            )
        if name == "focal":
            # alpha=1: Keras' default of 0.25 would only lower the learning rate.
            return keras.losses.CategoricalFocalCrossentropy(
                alpha=1.0, from_logits=True, label_smoothing=label_smoothing, name="loss"
            )
        raise ConfigError(
            f"the loss {name!r} is not for one class an image; there are cross_entropy and focal"
        )

    def train_metrics(self) -> list[keras.metrics.Metric]:
        """The share of right answers, under PaddleHub's name "acc"."""
        return [keras.metrics.CategoricalAccuracy(name="acc")]

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Softmax of each row, float32 [N, C]."""
        return softmax(logits)

    def predicted(self, logits: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The class with the greatest logit, the first among equals, int64 [N]."""
        classes: npt.NDArray[np.int64] = np.asarray(logits).argmax(axis=1)
        return classes

    def fitted(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> SingleLabel:
        """Itself: the greatest logit decides, whatever the examples."""
        return self

    def cross_entropy(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Mean negative log-probability of the true classes."""
        ids = self.checked(labels)
        return float(-log_softmax(logits)[np.arange(len(ids)), ids].mean())

    def renamed(self, class_names: Sequence[str] | None) -> SingleLabel:
        """The same with other names for its classes, in their order; itself for None.

        Raises:
            ConfigError: there is not one name for each class.
        """
        return replace(self, class_names=other_names(self.class_names, class_names))

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types, for a bundle."""
        return {"kind": "single_label", "class_names": list(self.class_names)}


def checked_names(names: tuple[str, ...], *, at_least: int) -> None:
    """Refuse class names that cannot be told apart.

    Raises:
        ConfigError: there are fewer than `at_least`, or two of the same name.
    """
    if len(names) < at_least:
        raise ConfigError(f"classification needs {at_least} or more classes, not {names}")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"class names must differ; given more than once: {repeated}")


def other_names(names: tuple[str, ...], others: Sequence[str] | None) -> tuple[str, ...]:
    """The others, or the names themselves for None.

    Raises:
        ConfigError: there is not one for each.
    """
    if others is not None and len(others) != len(names):
        raise ConfigError(
            f"label_list has {len(others)} names for {len(names)} classes: {', '.join(names)}"
        )
    return names if others is None else tuple(others)


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
