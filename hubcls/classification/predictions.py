"""From logits to probabilities and to class names; the only place that holds a softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hubcls.errors import ConfigError


@dataclass(frozen=True)
class Prediction:
    """What one image most likely shows.

    Attributes:
        class_name: the most probable class.
        probability: of that class, in [0, 1].
        top: the most probable classes with their probabilities, best first.
        source: path of the image, or its place in the input.
    """

    class_name: str
    probability: float
    top: tuple[tuple[str, float], ...]
    source: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types."""
        return {
            "source": self.source,
            "class_name": self.class_name,
            "probability": self.probability,
            "top": [list(pair) for pair in self.top],
        }


def softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Probabilities of each row, float32 [N, C]; large logits do not overflow."""
    probabilities: npt.NDArray[np.float64] = np.exp(log_softmax(logits))
    return probabilities.astype(np.float32)


def log_softmax(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Logarithms of the probabilities of each row, float64 [N, C]."""
    values = np.asarray(logits, dtype=np.float64)
    shifted = values - values.max(axis=-1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def decode(
    logits: npt.ArrayLike,
    class_names: Sequence[str],
    *,
    top_k: int = 1,
    sources: Sequence[str] | None = None,
) -> list[Prediction]:
    """One `Prediction` for each row of `logits`, in order.

    Args:
        logits: [N, C].
        class_names: C names.
        top_k: how many classes each prediction lists; all of them if there are fewer.
        sources: N names of the images; "0", "1", … when missing.

    Raises:
        ConfigError: the numbers of logits, class names or sources do not fit, or `top_k`
            is below 1.
    """
    scores = np.asarray(logits)
    names = [str(index) for index in range(len(scores))] if sources is None else list(sources)
    _check_sizes(scores, class_names, names, top_k)
    probabilities = softmax(scores)
    # A stable sort of the negated values: among equals the lower class id wins, as in argmax.
    order = np.argsort(-probabilities, axis=-1, kind="stable")[:, :top_k]
    return [
        _prediction([(class_names[index], float(row[index])) for index in best], name)
        for row, best, name in zip(probabilities, order, names, strict=True)
    ]


def _prediction(top: list[tuple[str, float]], source: str) -> Prediction:
    class_name, probability = top[0]
    return Prediction(class_name, probability, tuple(top), source)


def _check_sizes(
    scores: npt.NDArray[Any], class_names: Sequence[str], sources: Sequence[str], top_k: int
) -> None:
    wrong = []
    if scores.ndim != 2 or scores.shape[-1] != len(class_names):
        wrong.append(f"logits must be [N, {len(class_names)}], not {list(scores.shape)}")
    if len(sources) != len(scores):
        wrong.append(f"{len(scores)} rows of logits need as many sources, not {len(sources)}")
    if top_k < 1:
        wrong.append(f"top_k must be at least 1, not {top_k}")
    if wrong:
        raise ConfigError("predictions cannot be decoded:\n  " + "\n  ".join(wrong))
