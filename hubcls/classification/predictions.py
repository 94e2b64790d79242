"""From probabilities to class names; and the softmax."""

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
        labels: every class that the image is said to show with its probability, best
            first: the most probable one, or, where images may show several, all that reach
            their thresholds.
    """

    class_name: str
    probability: float
    top: tuple[tuple[str, float], ...]
    source: str = ""
    labels: tuple[tuple[str, float], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types."""
        return {
            "source": self.source,
            "class_name": self.class_name,
            "probability": self.probability,
            "top": [list(pair) for pair in self.top],
            "labels": [list(pair) for pair in self.labels],
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
    probabilities: npt.ArrayLike,
    predicted: npt.ArrayLike,
    class_names: Sequence[str],
    *,
    top_k: int = 1,
    sources: Sequence[str] | None = None,
) -> list[Prediction]:
    """One `Prediction` for each row, in order.

    Args:
        probabilities: [N, C].
        predicted: what a `Problem` says of the same images: int [N], or bool [N, C].
        class_names: C names.
        top_k: how many classes each prediction lists; all of them if there are fewer.
        sources: N names of the images; "0", "1", … when missing.

    Raises:
        ConfigError: the numbers of rows, class names or sources do not fit, or `top_k`
            is below 1.
    """
    shares = np.asarray(probabilities)
    names = [str(index) for index in range(len(shares))] if sources is None else list(sources)
    _check_sizes(shares, class_names, names, top_k)
    shown = np.asarray(predicted)
    if shown.ndim == 1:
        shown = shown[:, None] == np.arange(len(class_names))
    # A stable sort of the negated values: among equals the lower class id wins, as in argmax.
    order = np.argsort(-shares, axis=-1, kind="stable")
    predictions = []
    for row, is_shown, ranked, name in zip(shares, shown, order, names, strict=True):
        pairs = [(class_names[index], float(row[index])) for index in ranked]
        labels = tuple(pair for pair, index in zip(pairs, ranked, strict=True) if is_shown[index])
        predictions.append(Prediction(*pairs[0], tuple(pairs[:top_k]), name, labels))
    return predictions


def _check_sizes(
    shares: npt.NDArray[Any], class_names: Sequence[str], sources: Sequence[str], top_k: int
) -> None:
    wrong = []
    if shares.ndim != 2 or shares.shape[-1] != len(class_names):
        wrong.append(f"probabilities must be [N, {len(class_names)}], not {list(shares.shape)}")
    if len(sources) != len(shares):
        wrong.append(f"{len(shares)} rows need as many sources, not {len(sources)}")
    if top_k < 1:
        wrong.append(f"top_k must be at least 1, not {top_k}")
    if wrong:
        raise ConfigError("predictions cannot be decoded:\n  " + "\n  ".join(wrong))
