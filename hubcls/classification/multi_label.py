"""Several classes an image: sigmoids, their losses, and a threshold for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import sklearn.metrics

from hubcls.classification.problem import checked_names, other_names
from hubcls.errors import ConfigError

_THRESHOLD = 0.5


@dataclass(frozen=True)
class MultiLabel:
    """Each image shows any number of the classes, none of them included.

    Attributes:
        class_names: the position is the class id.
        thresholds: probability of each class from which on it counts as shown; none means
            0.5 for all.
    """

    class_names: tuple[str, ...]
    thresholds: tuple[float, ...] = ()

    is_multi_label = True
    main_metric = "map"

    def __post_init__(self) -> None:
        """Refuse names that cannot be told apart, and thresholds that are none.

        Raises:
            ConfigError: there is no class, two have the same name, or the thresholds are
                not one probability for each class.
        """
        checked_names(self.class_names, at_least=1)
        wrong = [one for one in self.thresholds if not 0 <= one <= 1]
        if wrong or len(self.thresholds) not in (0, len(self.class_names)):
            raise ConfigError(
                f"thresholds must be {len(self.class_names)} probabilities, one for each class, "
                f"not {list(self.thresholds)}"
            )

    @property
    def num_classes(self) -> int:
        """Number of logits."""
        return len(self.class_names)

    def checked(self, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The labels as int64 [N, C] of 0 and 1.

        Raises:
            ConfigError: they have another shape, or hold other values.
        """
        values = np.asarray(labels)
        if values.ndim != 2 or values.shape[1] != self.num_classes:
            raise ConfigError(f"labels must be [N, {self.num_classes}], not {list(values.shape)}")
        if not np.isin(values, (0, 1)).all():
            raise ConfigError("labels of several classes an image must be 0 or 1")
        return values.astype(np.int64)

    def targets(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """1 for every class that an image shows, float32 [N, C]."""
        return self.checked(labels).astype(np.float32)

    def members(self, labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether an image shows a class, bool [N, C]."""
        return self.checked(labels).astype(np.bool_)

    def loss(self, name: str = "cross_entropy", label_smoothing: float = 0.0) -> keras.losses.Loss:
        """A loss from logits, the mean over the classes.

        Args:
            name: "cross_entropy"; "focal" (Lin et al. 2017, arXiv:1708.02002, equation 4,
                gamma 2, without its alpha); "asymmetric" (see `AsymmetricLoss`).
            label_smoothing: share of each target that is moved to 0.5; not for
                "asymmetric".

        Raises:
            ConfigError: the name is another, or smoothing is asked of "asymmetric".
        """
        if name == "asymmetric" and not label_smoothing:
            return AsymmetricLoss(name="loss")
        kinds = {
            "cross_entropy": keras.losses.BinaryCrossentropy,
            "focal": keras.losses.BinaryFocalCrossentropy,
        }
        if name not in kinds:
            reason = "takes no label_smoothing" if name == "asymmetric" else "is unknown"
            raise ConfigError(
                f"the loss {name!r} {reason}; for several classes an image there are "
                "cross_entropy, focal and asymmetric"
            )
        loss: keras.losses.Loss = kinds[name](
            from_logits=True, label_smoothing=label_smoothing, name="loss"
        )
        return loss

    def train_metrics(self) -> list[keras.metrics.Metric]:
        """The share of right answers to "does the image show this class?"."""
        return [keras.metrics.BinaryAccuracy(threshold=0.0, name="label_acc")]

    def probabilities(self, logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Sigmoid of each logit, float32 [N, C]."""
        # tanh does not overflow where exp would.
        values: npt.NDArray[np.float64] = np.tanh(np.asarray(logits, np.float64) / 2)
        return (0.5 * (values + 1)).astype(np.float32)

    def predicted(self, logits: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each class reaches its threshold, bool [N, C]."""
        thresholds = np.asarray(self.thresholds or _THRESHOLD, np.float32)
        reached: npt.NDArray[np.bool_] = self.probabilities(logits) >= thresholds
        return reached

    def cross_entropy(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Mean negative log-probability of the right answer for each class."""
        values, members = np.asarray(logits, np.float64), self.members(labels)
        return float(np.logaddexp(0, np.where(members, -values, values)).mean())

    def fitted(self, logits: npt.ArrayLike, labels: npt.ArrayLike) -> MultiLabel:
        """The same with each class's threshold where its F1 on these examples is greatest.

        A threshold lies midway between the least probability that counts and the next one
        below. A class that no example shows keeps 0.5.

        Args:
            logits: float [N, C], of validation images.
            labels: [N, C] of 0 and 1.
        """
        probabilities, members = self.probabilities(logits), self.members(labels)
        thresholds = [
            _best_threshold(column, is_member)
            for column, is_member in zip(probabilities.T, members.T, strict=True)
        ]
        return replace(self, thresholds=tuple(thresholds))

    def renamed(self, class_names: Sequence[str] | None) -> MultiLabel:
        """The same with other names for its classes, in their order; itself for None.

        Raises:
            ConfigError: there is not one name for each class.
        """
        return replace(self, class_names=other_names(self.class_names, class_names))

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types, for a bundle."""
        return {
            "kind": "multi_label",
            "class_names": list(self.class_names),
            "thresholds": list(self.thresholds),
        }


@keras.saving.register_keras_serializable("hubcls")
class AsymmetricLoss(keras.losses.Loss):
    """Cross-entropy that forgets easy negatives, for images that lack most of the classes.

    Ridnik et al. 2021, arXiv:2009.14119, equations 4 to 7: probabilities of absent classes
    are lowered by `margin` and their loss weighed by their power `gamma_absent`; that of
    present ones is weighed by (1 - p) to the power `gamma_present`.
    """

    def __init__(
        self,
        gamma_absent: float = 4.0,
        gamma_present: float = 0.0,
        margin: float = 0.05,
        **kwargs: Any,
    ) -> None:
        """Keep the numbers, the paper's by default; `kwargs` are Keras' own (name)."""
        super().__init__(**kwargs)
        self.gamma_absent = gamma_absent
        self.gamma_present = gamma_present
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image [B], of targets and logits [B, C]."""
        targets = keras.ops.cast(y_true, y_pred.dtype)
        # Powers by their logarithms: that of 0 to the 0 has a gradient that is not finite.
        log_absent = keras.ops.log_sigmoid(-y_pred)
        of_present = keras.ops.exp(self.gamma_present * log_absent) * keras.ops.log_sigmoid(y_pred)
        lowered = keras.ops.clip(keras.ops.sigmoid(y_pred) - self.margin, 1e-6, 1 - 1e-6)
        weight = keras.ops.exp(self.gamma_absent * keras.ops.log(lowered))
        of_absent = weight * keras.ops.log1p(-lowered)
        return -keras.ops.mean(targets * of_present + (1 - targets) * of_absent, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {name: getattr(self, name) for name in ("gamma_absent", "gamma_present", "margin")}
        return {**super().get_config(), **own}


def _best_threshold(
    probabilities: npt.NDArray[np.float32], is_member: npt.NDArray[np.bool_]
) -> float:
    if not is_member.any():
        return _THRESHOLD
    precision, recall, cuts = sklearn.metrics.precision_recall_curve(is_member, probabilities)
    # The curve's last point has no cut; where both are 0, so is F1.
    precision, recall = precision[:-1], recall[:-1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1))
    below = cuts[best - 1] if best else 0.0
    return float((cuts[best] + below) / 2)
