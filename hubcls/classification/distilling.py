"""Learning from a teacher's answers: the loss, and a network that asks the teacher itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras

from hubcls.errors import ConfigError

Divergence = Literal["kl", "js"]


@dataclass(frozen=True)
class DistillationLoss:
    """How far a student's probabilities are from its teacher's, and from the label's.

    (1 - label_weight) · T² · D + label_weight · cross-entropy, where D compares the
    probabilities at temperature T. "kl" is the divergence of the student from the teacher,
    whose gradient is that of soft targets: Hinton et al. 2015, arXiv:1503.02531, section 2.
    "js" is Jensen and Shannon's, as SSLD takes it: Cui et al. 2021, arXiv:2103.05959,
    section 3. An image without a label has no cross-entropy.

    Attributes:
        divergence: "kl" or "js".
        temperature: what both networks' logits are divided by, above 0.
        label_weight: share of the labels' loss, in [0, 1).
        label_smoothing: share of a label spread over all classes, in [0, 1).
    """

    divergence: Divergence = "kl"
    temperature: float = 1.0
    label_weight: float = 0.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a value is out of range; lists all of them.
        """
        wrong = []
        if self.divergence not in ("kl", "js"):
            wrong.append(f'divergence must be "kl" or "js", not {self.divergence!r}')
        if not self.temperature > 0:
            wrong.append(f"temperature must be above 0, not {self.temperature!r}")
        for name in ("label_weight", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                wrong.append(f"{name} must be in [0, 1), not {getattr(self, name)!r}")
        if wrong:
            raise ConfigError("distillation is given wrong values:\n  " + "\n  ".join(wrong))

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image [B].

        Args:
            y_true: the label's one-hot row, zeros without a label, and behind it the
                teacher's logits [B, 2C].
            y_pred: the student's logits [B, C].
        """
        labels, taught = keras.ops.split(keras.ops.cast(y_true, y_pred.dtype), 2, axis=-1)
        teacher = keras.ops.log_softmax(taught / self.temperature)
        student = keras.ops.log_softmax(y_pred / self.temperature)
        distance = _kl(teacher, student)
        if self.divergence == "js":
            mean = keras.ops.logaddexp(teacher, student) - keras.ops.log(2.0)
            distance = (_kl(teacher, mean) + _kl(student, mean)) / 2
        loss = (1 - self.label_weight) * self.temperature**2 * distance
        if not self.label_weight:
            return loss
        spread = self.label_smoothing / labels.shape[-1]
        is_labelled = keras.ops.sum(labels, axis=-1, keepdims=True)
        smooth = (1 - self.label_smoothing) * labels + spread * is_labelled
        cross_entropy = -keras.ops.sum(smooth * keras.ops.log_softmax(y_pred), axis=-1)
        return loss + self.label_weight * cross_entropy


class TaughtClassifier(keras.Model):
    """A functional classifier that puts its teacher's logits behind the targets in training.

    The teacher sees the very pixels that the student sees, augmented or not. It is no part
    of the network: not of its variables, nor of a copy.
    """

    def __init__(self, classifier: keras.Model, teach: Callable[[Any], Any]) -> None:
        """Take over a classifier's layers.

        Args:
            classifier: images [B, H, W, 3] to logits [B, C].
            teach: from these images to a teacher's logits [B, C].
        """
        super().__init__(classifier.inputs[0], classifier.outputs[0], name=classifier.name)
        self._teach = teach

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss, given the teacher's logits too."""
        taught = keras.ops.stop_gradient(keras.ops.cast(self._teach(x), y.dtype))
        both = keras.ops.concatenate([y, taught], axis=-1)
        return super().compute_loss(x, both, y_pred, sample_weight, training)

    def get_config(self) -> dict[str, Any]:
        """That of the plain functional network."""
        plain = keras.Model(self.inputs[0], self.outputs[0], name=self.name)
        config: dict[str, Any] = plain.get_config()
        return config


def _kl(log_p: Any, log_q: Any) -> Any:
    """Kullback and Leibler's divergence of q from p, of logarithms [B, C]: [B]."""
    return keras.ops.sum(keras.ops.exp(log_p) * (log_p - log_q), axis=-1)
