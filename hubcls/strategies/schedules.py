"""Learning rates as functions of the step, counted from 0 for the first update.

Each is a pure function of the step, so a resumed run goes on with the very next value.
"""

from __future__ import annotations

import math
from typing import Any

import keras

from hubcls.errors import ConfigError


class SlantedTriangle(keras.optimizers.schedules.LearningRateSchedule):
    """A short linear rise from `learning_rate / ratio`, then a long linear fall back to it.

    Howard & Ruder 2018, arXiv:1801.06146, equation 3. Two departures: the fall ends with
    the last step even where `cut_fraction · total_steps` is no whole number (the paper's
    rate would turn negative), and a rise of less than one step is left out (PaddleHub
    divides by zero).
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        *,
        cut_fraction: float = 0.1,
        ratio: float = 32,
    ) -> None:
        """Check the numbers.

        Args:
            learning_rate: at the peak.
            total_steps: of the whole run.
            cut_fraction: share of the steps in which the rate rises, in [0, 1).
            ratio: how much smaller the lowest rate is, at least 1.

        Raises:
            ConfigError: a value is out of range.
        """
        _check(learning_rate, total_steps, cut_fraction=cut_fraction)
        if ratio < 1:
            raise ConfigError(f"ratio must be at least 1, not {ratio}")
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.cut_fraction = cut_fraction
        self.ratio = ratio

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        t = keras.ops.cast(step, "float32")
        cut = math.floor(self.total_steps * self.cut_fraction)
        falling = 1.0 - (t - cut) / (self.total_steps - cut)
        share = keras.ops.where(t < cut, t / max(cut, 1), keras.ops.maximum(falling, 0.0))
        return self.learning_rate * (1.0 + share * (self.ratio - 1.0)) / self.ratio

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(self, "learning_rate", "total_steps", "cut_fraction", "ratio")


class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, a plateau, and a linear fall to `end_learning_rate`.

    PaddleHub counts the fall from step 0, so that its rate jumps down by the share of the
    warm-up when that ends; here the fall starts at the full rate. The rise starts above 0,
    for a first update with rate 0 would be lost, and the full rate is that of step
    `warmup · total_steps`.
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        *,
        warmup: float = 0.1,
        start_point: float = 0.0,
        end_learning_rate: float = 0.0,
    ) -> None:
        """Check the numbers.

        Args:
            learning_rate: on the plateau.
            total_steps: of the whole run.
            warmup: share of the steps in which the rate rises, in [0, 1).
            start_point: share of the steps after which it falls, in [0, 1]; the fall never
                starts before the warm-up ends, and 1 means that the rate never falls.
            end_learning_rate: reached after the last step.

        Raises:
            ConfigError: a value is out of range.
        """
        _check(learning_rate, total_steps, warmup=warmup)
        if not 0 <= start_point <= 1 or end_learning_rate < 0:
            raise ConfigError(
                f"start_point must be in [0, 1] and end_learning_rate 0 or more, not "
                f"{start_point} and {end_learning_rate}"
            )
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup = warmup
        self.start_point = start_point
        self.end_learning_rate = end_learning_rate

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        t = keras.ops.cast(step, "float32")
        rising_steps = int(self.total_steps * self.warmup)
        start = max(int(self.total_steps * self.start_point), rising_steps)
        fallen = keras.ops.clip((t - start) / max(self.total_steps - start, 1), 0.0, 1.0)
        if self.start_point == 1:
            fallen = keras.ops.zeros_like(fallen)
        falling = self.learning_rate + fallen * (self.end_learning_rate - self.learning_rate)
        return keras.ops.where(t < rising_steps, _rising(self, t, rising_steps), falling)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(
            self, "learning_rate", "total_steps", "warmup", "start_point", "end_learning_rate"
        )


class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to `learning_rate`, then half a cosine down to `end_learning_rate`.

    The fall is that of Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without
    restarts. The rise is that of `WarmupLinearDecay`.
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        *,
        warmup: float = 0.1,
        end_learning_rate: float = 0.0,
    ) -> None:
        """Check the numbers.

        Args:
            learning_rate: at the peak.
            total_steps: of the whole run.
            warmup: share of the steps in which the rate rises, in [0, 1).
            end_learning_rate: reached after the last step.

        Raises:
            ConfigError: a value is out of range.
        """
        _check(learning_rate, total_steps, warmup=warmup)
        if end_learning_rate < 0:
            raise ConfigError(f"end_learning_rate must be 0 or more, not {end_learning_rate}")
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup = warmup
        self.end_learning_rate = end_learning_rate

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        t = keras.ops.cast(step, "float32")
        rising_steps = int(self.total_steps * self.warmup)
        share = (t - rising_steps) / (self.total_steps - rising_steps)
        height = 0.5 * (1.0 + keras.ops.cos(math.pi * keras.ops.clip(share, 0.0, 1.0)))
        falling = self.end_learning_rate + (self.learning_rate - self.end_learning_rate) * height
        return keras.ops.where(t < rising_steps, _rising(self, t, rising_steps), falling)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(self, "learning_rate", "total_steps", "warmup", "end_learning_rate")


class NoamDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to `learning_rate`, then a fall with the square root of the step.

    Vaswani et al. 2017, arXiv:1706.03762, equation 3, scaled as in PaddleHub so that the
    peak, the update with number `warmup_steps` counted from 1, has `learning_rate`.
    """

    def __init__(self, learning_rate: float, warmup_steps: int) -> None:
        """Check the numbers.

        Args:
            learning_rate: at the peak.
            warmup_steps: updates until the peak, at least 1.

        Raises:
            ConfigError: a value is out of range.
        """
        _check(learning_rate, warmup_steps)
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        n = keras.ops.cast(step, "float32") + 1.0
        falling = keras.ops.sqrt(self.warmup_steps / n)
        return self.learning_rate * keras.ops.minimum(n / self.warmup_steps, falling)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(self, "learning_rate", "warmup_steps")


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine up to `learning_rate`, then half a cosine down to almost nothing.

    Smith & Topin 2018, arXiv:1708.07120, section 3, with cosines for its lines; its momentum
    cycle is left out.
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: int,
        *,
        rise: float = 0.3,
        start_factor: float = 0.04,
        end_factor: float = 4e-6,
    ) -> None:
        """Check the numbers.

        Args:
            learning_rate: at the peak.
            total_steps: of the whole cycle.
            rise: share of the steps in which the rate rises, in [0, 1).
            start_factor: the first rate as a share of the peak's, in [0, 1).
            end_factor: the last one's, in [0, 1).

        Raises:
            ConfigError: a value is out of range.
        """
        _check(
            learning_rate, total_steps, rise=rise, start_factor=start_factor, end_factor=end_factor
        )
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.rise = rise
        self.start_factor = start_factor
        self.end_factor = end_factor

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        t = keras.ops.cast(step, "float32")
        peak = self.rise * self.total_steps
        up = _eased(self.start_factor, 1.0, t / max(peak, 1.0))
        down = _eased(1.0, self.end_factor, (t - peak) / max(self.total_steps - 1 - peak, 1.0))
        return self.learning_rate * keras.ops.where(t < peak, up, down)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(self, "learning_rate", "total_steps", "rise", "start_factor", "end_factor")


class WarmedUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to `learning_rate`, and then another schedule from its beginning.

    The rise is that of `WarmupLinearDecay`.
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_steps: int,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
    ) -> None:
        """Check the numbers.

        Args:
            learning_rate: where the rise ends.
            warmup_steps: updates of the rise, at least 1.
            schedule: what follows.

        Raises:
            ConfigError: a value is out of range.
        """
        _check(learning_rate, warmup_steps)
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.schedule = schedule

    def __call__(self, step: Any) -> Any:
        """The rate of the update with number `step`."""
        t = keras.ops.cast(step, "float32")
        after = self.schedule(keras.ops.maximum(t - self.warmup_steps, 0.0))
        return keras.ops.where(t < self.warmup_steps, _rising(self, t, self.warmup_steps), after)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return _config(self, "learning_rate", "warmup_steps", "schedule")


def _eased(start: float, end: float, share: Any) -> Any:
    """From start to end by half a cosine."""
    height = 0.5 * (1.0 + keras.ops.cos(math.pi * keras.ops.clip(share, 0.0, 1.0)))
    return end + (start - end) * height


def _rising(schedule: Any, t: Any, rising_steps: int) -> Any:
    return schedule.learning_rate * (t + 1.0) / (rising_steps + 1.0)


def _check(learning_rate: float, steps: int, **shares: float) -> None:
    wrong = [
        f"{name} must be in [0, 1), not {share}"
        for name, share in shares.items()
        if not 0 <= share < 1
    ]
    if not learning_rate > 0:
        wrong.append(f"learning_rate must be above 0, not {learning_rate}")
    if steps < 1:
        wrong.append(f"the schedule needs at least one step, not {steps}")
    if wrong:
        raise ConfigError("the learning rate cannot be scheduled:\n  " + "\n  ".join(wrong))


def _config(schedule: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in names}
