"""Learning-rate schedules by name, their lengths in epochs, as configurations state them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras

from hubcls.errors import ConfigError, UnknownNameError, nearest_names
from hubcls.logs import logger
from hubcls.strategies.schedules import NoamDecay, OneCycle, SlantedTriangle, WarmedUp

Schedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule
ScheduleOptions: TypeAlias = str | Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """What every schedule is told.

    Attributes:
        learning_rate: the highest.
        steps: updates that the schedule is for, the warm-up's not among them.
        steps_per_epoch: updates in one pass over the training examples.
        warmup_steps: updates of the warm-up.
    """

    learning_rate: float
    steps: int
    steps_per_epoch: int
    warmup_steps: int


def scheduled(
    options: ScheduleOptions,
    *,
    learning_rate: float,
    total_steps: int,
    steps_per_epoch: int,
    warmup_epochs: float = 0.0,
) -> Schedule:
    """The schedule that `options` name, behind a linear warm-up.

    Args:
        options: a name of `names()`, or a mapping of that "name" and its own options.
        learning_rate: the highest.
        total_steps: updates of the whole run.
        steps_per_epoch: updates in one pass over the training examples.
        warmup_epochs: passes in which the rate rises, on top of the schedule; cut off, with
            a warning, one step before the end of a shorter run.

    Raises:
        UnknownNameError: the name is in no table.
        ConfigError: an option is unknown or out of range.
    """
    name, own = check_schedule(options)
    wanted_steps = round(warmup_epochs * steps_per_epoch)
    warmup_steps = min(wanted_steps, total_steps - 1)
    if warmup_steps < wanted_steps:
        logger.warning(
            "the warm-up of %g epochs is as long as the run: the rate rises until its last step",
            warmup_epochs,
        )
    course = Course(learning_rate, total_steps - warmup_steps, steps_per_epoch, warmup_steps)
    try:
        schedule = _SCHEDULES[name](course, **own)
    except TypeError as error:
        raise ConfigError(f"the schedule {name!r} cannot take {own}: {error}") from error
    if not warmup_steps or name == "noam":
        return schedule
    return WarmedUp(learning_rate, warmup_steps, schedule)


def check_schedule(options: ScheduleOptions) -> tuple[str, dict[str, Any]]:
    """The schedule's name and its options.

    Raises:
        UnknownNameError: the name is in no table.
        ConfigError: an option is unknown or missing.
    """
    own = {"name": options} if isinstance(options, str) else dict(options)
    name = str(own.pop("name", ""))
    if name not in _SCHEDULES:
        raise UnknownNameError("schedule", name, _SCHEDULES)
    parameters = list(inspect.signature(_SCHEDULES[name]).parameters.values())[1:]
    known = {one.name: one for one in parameters}
    wrong = [
        f"{option} is unknown; it takes {', '.join(nearest_names(option, known) or known)}"
        for option in own
        if option not in known
    ]
    wrong += [
        f"{one.name} is missing"
        for one in parameters
        if one.default is one.empty and one.name not in own
    ]
    if wrong:
        raise ConfigError(f"options of the schedule {name!r} are wrong:\n  " + "\n  ".join(wrong))
    return name, own


def names() -> tuple[str, ...]:
    """The names of all schedules."""
    return tuple(_SCHEDULES)


def _constant(course: Course) -> Schedule:
    """The same rate all the time."""
    return keras.optimizers.schedules.PolynomialDecay(
        course.learning_rate, course.steps, end_learning_rate=course.learning_rate
    )


def _piecewise(course: Course, epochs: Sequence[float], factors: Sequence[float]) -> Schedule:
    """A factor up to each of `epochs`, counted from the run's start, and one after the last."""
    if len(factors) != len(epochs) + 1 or list(epochs) != sorted(set(epochs)):
        raise ConfigError(
            "a piecewise schedule wants rising epochs and one factor more than epochs, not "
            f"epochs={list(epochs)} and factors={list(factors)}"
        )
    boundaries = [round(end * course.steps_per_epoch) - course.warmup_steps for end in epochs]
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras changes the rate after the boundary's own step.
        [boundary - 1 for boundary in boundaries],
        [factor * course.learning_rate for factor in factors],
    )


def _cosine(course: Course, end_factor: float = 0.0) -> Schedule:
    """Half a cosine; Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, no restarts."""
    _check_share("end_factor", end_factor)
    return keras.optimizers.schedules.CosineDecay(
        course.learning_rate, course.steps, alpha=end_factor
    )


def _linear(course: Course, end_factor: float = 0.0) -> Schedule:
    """A line."""
    return _polynomial(course, power=1.0, end_factor=end_factor)


def _polynomial(course: Course, power: float = 2.0, end_factor: float = 0.0) -> Schedule:
    """The remaining share of the steps to a power."""
    _check_share("end_factor", end_factor)
    if not power > 0:
        raise ConfigError(f"power must be above 0, not {power!r}")
    return keras.optimizers.schedules.PolynomialDecay(
        course.learning_rate,
        course.steps,
        end_learning_rate=end_factor * course.learning_rate,
        power=power,
    )


def _exponential(
    course: Course, factor: float = 0.97, epochs: float = 2.4, is_stepwise: bool = True
) -> Schedule:
    """Times `factor` every so many epochs, at once or bit by bit; the defaults of EfficientNet."""
    _check_share("factor", factor)
    if not epochs > 0:
        raise ConfigError(f"epochs must be above 0, not {epochs!r}")
    return keras.optimizers.schedules.ExponentialDecay(
        course.learning_rate, epochs * course.steps_per_epoch, factor, staircase=is_stepwise
    )


def _noam(course: Course) -> Schedule:
    """Up in the warm-up, then down with the root of the step."""
    if not course.warmup_steps:
        raise ConfigError("the schedule 'noam' is measured by the warm-up: give warmup_epochs")
    return NoamDecay(course.learning_rate, course.warmup_steps)


def _slanted_triangle(course: Course, cut_fraction: float = 0.1, ratio: float = 32) -> Schedule:
    """A short rise and a long fall; Howard & Ruder 2018, arXiv:1801.06146, equation 3."""
    return SlantedTriangle(
        course.learning_rate, course.steps, cut_fraction=cut_fraction, ratio=ratio
    )


def _one_cycle(
    course: Course, rise: float = 0.3, start_factor: float = 0.04, end_factor: float = 4e-6
) -> Schedule:
    """Up and down by cosines; see `OneCycle`."""
    return OneCycle(
        course.learning_rate,
        course.steps,
        rise=rise,
        start_factor=start_factor,
        end_factor=end_factor,
    )


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1 or math.isnan(value):
        raise ConfigError(f"{name} must be in [0, 1], not {value!r}")


_SCHEDULES: Mapping[str, Callable[..., Schedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "exponential": _exponential,
    "linear": _linear,
    "noam": _noam,
    "one_cycle": _one_cycle,
    "piecewise": _piecewise,
    "polynomial": _polynomial,
    "slanted_triangle": _slanted_triangle,
}
