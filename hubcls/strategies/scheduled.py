"""Any optimizer with any schedule: training as PaddleClas' configurations describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubcls.errors import ConfigError
from hubcls.strategies import options
from hubcls.strategies.base import FinetuneStrategy, Plan, PlanRequest
from hubcls.strategies.freezing import (
    BatchNormRule,
    check_batch_norm,
    frozen_inside,
    opened_layers,
    rates_by_group,
)
from hubcls.strategies.named_schedules import ScheduleOptions, check_schedule, scheduled
from hubcls.strategies.optimizers import build_optimizer, check_optimizer
from hubcls.strategies.rules import variable_rules


class ScheduledStrategy(FinetuneStrategy):
    """One optimizer and one named schedule for all layers: from scratch, or from weights.

    Schedules: "constant", "cosine", "linear", "polynomial", "exponential", "piecewise",
    "noam", "slanted_triangle", "one_cycle"; see `hubcls.strategies.named_schedules`. A linear
    warm-up stands before any of them.

    Example:
        >>> from hubcls.strategies import ScheduledStrategy
        >>> strategy = ScheduledStrategy(
        ...     learning_rate=0.1,
        ...     schedule={"name": "piecewise", "epochs": [30, 60], "factors": [1, 0.1, 0.01]},
        ...     warmup_epochs=5,
        ...     regularization={"L2": 1e-4},
        ... )
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        optimizer_name: str = "momentum",
        schedule: ScheduleOptions = "cosine",
        *,
        warmup_epochs: float = 0.0,
        regularization: Mapping[str, Any] | None = None,
        clip: Mapping[str, Any] | None = None,
        layer_decay: float = 1.0,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check everything that can be checked without the network.

        Args:
            learning_rate: the highest of the schedule, at the head.
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            schedule: a name, or a mapping of that "name" and the schedule's options, whose
                lengths are epochs.
            warmup_epochs: passes in which the rate rises in a line, before the schedule.
            regularization: some of {"L1", "L2", "L2SP", "weight_decay"}, as in
                `CombinedStrategy`; biases and normalisation parameters are spared.
            clip: {"GlobalNorm": …} or {"Norm": …}.
            layer_decay: rate of a group of layers relative to the one above it, in (0, 1].
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer, e.g. `momentum=0.95`.

        Raises:
            ConfigError: a name, a value or a combination is wrong.
        """
        check_optimizer(optimizer_name, optimizer_options)
        check_batch_norm(batch_norm)
        check_schedule(schedule)
        checks = [
            ("learning_rate", learning_rate, "above 0", learning_rate > 0),
            ("warmup_epochs", warmup_epochs, "0 or more", warmup_epochs >= 0),
            ("layer_decay", layer_decay, "in (0, 1]", 0 < layer_decay <= 1),
        ]
        wrong = [
            f"{name} must be {right}, not {value}" for name, value, right, ok in checks if not ok
        ]
        if wrong:
            raise ConfigError("ScheduledStrategy is given wrong values:\n  " + "\n  ".join(wrong))
        self.learning_rate = learning_rate
        self.optimizer_name = optimizer_name
        self.schedule = schedule if isinstance(schedule, str) else dict(schedule)
        self.warmup_epochs = warmup_epochs
        self.regularization = options.merged(
            "regularization", options.REGULARIZATION, regularization
        )
        self.clip = options.merged("clip", options.CLIP, clip)
        options.check(options.SCHEDULER, self.regularization, self.clip)
        self.layer_decay = layer_decay
        self.batch_norm = batch_norm
        self.optimizer_options = optimizer_options

    def plan(self, request: PlanRequest) -> Plan:
        """The optimizer with its schedule and rules; all layers are open from the start."""
        optimizer = build_optimizer(
            self.optimizer_name,
            scheduled(
                self.schedule,
                learning_rate=self.learning_rate,
                total_steps=request.total_steps,
                steps_per_epoch=request.steps_per_epoch,
                warmup_epochs=self.warmup_epochs,
            ),
            rules=variable_rules(
                request,
                regularization=options.as_regularization(self.regularization, self.optimizer_name),
                multipliers=rates_by_group(request, self.layer_decay),
            ),
            clip=options.as_clip(self.clip),
            options=self.optimizer_options,
        )
        return Plan(
            optimizer=optimizer,
            open_layers=opened_layers(request, batch_norm=self.batch_norm),
            frozen_inside=frozen_inside(request, self.batch_norm),
        )
