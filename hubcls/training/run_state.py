"""What is known of a run while it goes on."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hubcls.classification.metrics import is_better


class FetchedMetrics(Mapping[str, float]):
    """Metrics that lie on the device until somebody reads one: the host does not wait for it."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        """Take over tensors [] or numbers by name; the loss, if any, will come first."""
        self._metrics = {name: metrics[name] for name in sorted(metrics, key=_loss_first)}
        self._is_fetched = False

    def fetch(self) -> None:
        """Make numbers of all of them."""
        if not self._is_fetched:
            self._metrics = {name: float(value) for name, value in self._metrics.items()}
            self._is_fetched = True

    def __getitem__(self, name: str) -> float:
        """One of them."""
        self.fetch()
        value: float = self._metrics[name]
        return value

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._metrics)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._metrics)

    def __repr__(self) -> str:
        """As a plain dictionary."""
        return repr(dict(self))


@dataclass(frozen=True)
class RunState:
    """What hooks are told about the steps since the last time.

    Attributes:
        step: steps of the whole run so far.
        total_steps: steps the run will have.
        epoch: the running epoch, from 0.
        metrics: mean over the epoch so far of the loss and the training metrics. Reading one
            waits for the device; at `log_interval` and evaluations that has been done.
        run_examples: images seen in these steps.
        run_time_used: seconds that these steps took.
        num_steps: steps that were computed in one go at the end.
    """

    step: int
    total_steps: int
    epoch: int
    metrics: Mapping[str, float]
    run_examples: int
    run_time_used: float
    num_steps: int = 1

    @property
    def run_step(self) -> int:
        """PaddleHub's name of `step`."""
        return self.step

    @property
    def run_results(self) -> list[float]:
        """The metrics' values and, at the end, the loss: the last items of PaddleHub's list.

        Its scripts count from the end, `run_results[-1]` is the loss; the labels and the
        predicted classes, which PaddleHub has before, stay on the device here.
        """
        loss = [self.metrics["loss"]] if "loss" in self.metrics else []
        return [value for name, value in self.metrics.items() if name != "loss"] + loss

    @property
    def run_speed(self) -> float:
        """Images per second over these steps."""
        return self.run_examples / self.run_time_used if self.run_time_used > 0 else math.nan


@dataclass(frozen=True)
class Score:
    """One evaluation on the validation split.

    Attributes:
        step: steps of the run at that moment; 0 is the probe.
        epoch: full epochs at that moment, as a fraction.
        scores: every metric, the main one first, and at the end the loss.
    """

    step: int
    epoch: float
    scores: dict[str, float]


@dataclass
class RunProgress:
    """Where a run stands: all that resuming needs besides the tensors.

    Attributes:
        steps_per_epoch: optimizer steps of one epoch.
        num_epoch: epochs of the run.
        step: optimizer steps done.
        seconds: time spent training, evaluations included.
        evaluations: every evaluation so far.
        history: one row per evaluation for `history.csv`.
        is_finished: whether the run has ended, by itself or early.
        stop_reason: why it ended before its last epoch, else "".
    """

    steps_per_epoch: int
    num_epoch: int
    step: int = 0
    seconds: float = 0.0
    evaluations: list[Score] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    is_finished: bool = False
    stop_reason: str = ""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.num_epoch

    @property
    def epoch(self) -> int:
        """The running epoch, from 0."""
        return self.step // self.steps_per_epoch

    @property
    def best(self) -> Score | None:
        """The first evaluation with the best main metric; a lower loss breaks ties."""
        best: Score | None = None
        for score in self.evaluations:
            if best is None or _is_better(score, best):
                best = score
        return best

    def record(self, scores: Mapping[str, float], trained: Mapping[str, float]) -> None:
        """Count an evaluation after the current step.

        Args:
            scores: every metric, the main one first, and at the end the loss.
            trained: what training measured itself since the previous evaluation.
        """
        epoch = self.step / self.steps_per_epoch
        row = {
            "step": self.step,
            "epoch": round(epoch, 4),
            "seconds": round(self.seconds, 1),
            **{f"train/{name}": value for name, value in trained.items()},
            **{f"val/{name}": value for name, value in scores.items()},
        }
        # A step that was evaluated before a kill is evaluated again after it.
        self.evaluations = [each for each in self.evaluations if each.step != self.step]
        self.history = [each for each in self.history if each["step"] != self.step]
        self.evaluations.append(Score(self.step, epoch, dict(scores)))
        self.history.append(row)

    def evaluations_since_best(self) -> int:
        """How many evaluations in a row have not had a better main metric."""
        waited, best = 0, None
        for score in self.evaluations:
            name, value = next(iter(score.scores.items()))
            improves = is_better(name, value, best)
            waited, best = (0, value) if improves else (waited + 1, best)
        return waited

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunProgress:
        """The inverse of `as_dict`."""
        evaluations = [Score(**row) for row in values["evaluations"]]
        return cls(**{**values, "evaluations": evaluations})


def _is_better(score: Score, best: Score) -> bool:
    name = next(iter(score.scores))
    if is_better(name, score.scores[name], best.scores[name]):
        return True
    is_tie = score.scores[name] == best.scores[name]
    return is_tie and score.scores["loss"] < best.scores["loss"]


def _loss_first(name: str) -> tuple[bool, str]:
    return name != "loss", name
