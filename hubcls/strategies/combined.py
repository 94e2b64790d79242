"""A strategy put together from schedules, freezing, regularisation and clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from hubcls.errors import ConfigError
from hubcls.strategies import options
from hubcls.strategies.base import FinetuneStrategy, Plan, PlanRequest, as_json_types
from hubcls.strategies.freezing import (
    BatchNormRule,
    Blocks,
    blocks_by_depth,
    blocks_by_name,
    check_batch_norm,
    frozen_inside,
    opened_layers,
    rate_multipliers,
)
from hubcls.strategies.optimizers import build_optimizer, check_optimizer
from hubcls.strategies.rules import variable_rules
from hubcls.strategies.schedules import NoamDecay, SlantedTriangle, WarmupLinearDecay


class CombinedStrategy(FinetuneStrategy):
    """PaddleHub's box of bricks: any schedule with any regularisation and any clipping.

    scheduler:
        - `warmup`: share of the steps in which the rate rises.
        - `linear_decay`: {start_point, end_learning_rate}; from the share `start_point` of
          the steps on, and not before the warm-up ends, the rate falls in a line.
        - `noam_decay`: after the warm-up the rate falls with the root of the step.
        - `slanted_triangle`: {cut_fraction, ratio}; `cut_fraction` 0 means none.
        - `discriminative`: {blocks, params_layer, factor}; each block of layers has the
          rate of the one above it, divided by `factor`.
        - `gradual_unfreeze`: {blocks, params_layer}; each epoch opens one more block.

        `blocks` cuts the layers below the head into so many runs; `params_layer` numbers
        them by the name of a layer or group instead, 0 next to the image.

    regularization, never on biases and normalisation parameters:
        - `L1`: coefficient · sign(w) joins the gradient of all weights.
        - `L2`: coefficient · w joins the gradient of all weights.
        - `L2SP`: coefficient · (w − w0) joins that of the pretrained weights (Li et al.
          2018, arXiv:1802.01483). As in PaddleHub the new head is left alone; the paper's
          second term, plain decay of the head, comes with `L2` beside it, which then
          regards the head only.
        - `weight_decay`: decoupled, times the current rate.

    clip, before regularisation: `GlobalNorm` or `Norm` (each gradient on its own).

    Example:
        >>> from hubcls.strategies import CombinedStrategy
        >>> strategy = CombinedStrategy(
        ...     scheduler={"warmup": 0.1, "linear_decay": {"start_point": 0.5}},
        ...     regularization={"weight_decay": 0.01},
        ... )
        >>> strategy.add_clip("GlobalNorm", 1.0)
    """

    def __init__(
        self,
        optimizer_name: str = "adam",
        learning_rate: float = 1e-4,
        scheduler: Mapping[str, Any] | None = None,
        regularization: Mapping[str, Any] | None = None,
        clip: Mapping[str, Any] | None = None,
        *,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check everything that can be checked without the network.

        Args:
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            learning_rate: the highest of the schedule, at the head.
            scheduler: some of the options above; the rest keep PaddleHub's defaults.
            regularization: likewise.
            clip: likewise.
            batch_norm: "frozen" keeps statistics, gamma and beta of the pretrained layers;
                "train" trains them; "auto" freezes where weights are pretrained.
            **optimizer_options: of the Keras optimizer, e.g. `beta_2=0.99`, `use_ema=True`.

        Raises:
            ConfigError: a name, a value or a combination is wrong.
        """
        check_optimizer(optimizer_name, optimizer_options)
        check_batch_norm(batch_norm)
        if isinstance(learning_rate, bool) or not learning_rate > 0:
            raise ConfigError(f"learning_rate must be above 0, not {learning_rate!r}")
        self.optimizer_name = optimizer_name
        self.learning_rate = learning_rate
        self.scheduler = options.merged("scheduler", options.SCHEDULER, scheduler)
        self.regularization = options.merged(
            "regularization", options.REGULARIZATION, regularization
        )
        self.clip = options.merged("clip", options.CLIP, clip)
        self.batch_norm = batch_norm
        self.optimizer_options = optimizer_options
        self._has_additions = False
        options.check(self.scheduler, self.regularization, self.clip)

    def add_scheduler(self, name: str = "warmup", value: Any = 0, **values: Any) -> None:
        """Change one scheduler: `add_scheduler("warmup", 0.1)`.

        Args:
            name: of the scheduler.
            value: for those that take a single value.
            **values: for the others: `add_scheduler("discriminative", blocks=3)`.

        Raises:
            ConfigError: name, type or combination is wrong; nothing has changed then.
        """
        changed = options.merged("scheduler", self.scheduler, {name: values or value})
        options.check(changed, self.regularization, self.clip)
        self.scheduler, self._has_additions = changed, True

    def add_regularization(self, name: str = "L2", value: float = 1e-3) -> None:
        """Change one regularisation: `add_regularization("L2SP", 1e-2)`.

        Raises:
            ConfigError: name or value is wrong; nothing has changed then.
        """
        changed = options.merged("regularization", self.regularization, {name: value})
        options.check(self.scheduler, changed, self.clip)
        self.regularization, self._has_additions = changed, True

    def add_clip(self, name: str = "GlobalNorm", value: float = 1.0) -> None:
        """Change the clipping: `add_clip("Norm", 5.0)`.

        Raises:
            ConfigError: name, value or combination is wrong; nothing has changed then.
        """
        changed = options.merged("clip", self.clip, {name: value})
        options.check(self.scheduler, self.regularization, changed)
        self.clip, self._has_additions = changed, True

    def plan(self, request: PlanRequest) -> Plan:
        """The optimizer with its schedule and rules, and the order of unfreezing."""
        discriminative = self.scheduler["discriminative"]
        rated = _blocks(request, discriminative)
        multipliers = rate_multipliers(rated, discriminative["factor"]) if rated else {}
        optimizer = build_optimizer(
            self.optimizer_name,
            self._schedule(request.total_steps),
            rules=variable_rules(
                request,
                regularization=options.as_regularization(self.regularization, self.optimizer_name),
                multipliers=multipliers,
            ),
            clip=options.as_clip(self.clip),
            options=self.optimizer_options,
        )
        unfrozen = _blocks(request, self.scheduler["gradual_unfreeze"])
        return Plan(
            optimizer=optimizer,
            open_layers=opened_layers(request, batch_norm=self.batch_norm, blocks=unfrozen),
            frozen_inside=frozen_inside(request, self.batch_norm),
        )

    def describe(self) -> dict[str, Any]:
        """Name and arguments; after `add_…`, those of the equal `CombinedStrategy`."""
        if not self._has_additions:
            return super().describe()
        arguments = {
            "name": "CombinedStrategy",
            "optimizer_name": self.optimizer_name,
            "learning_rate": self.learning_rate,
            "scheduler": self.scheduler,
            "regularization": self.regularization,
            "clip": self.clip,
            "batch_norm": self.batch_norm,
            **self.optimizer_options,
        }
        return as_json_types(arguments)

    def _schedule(
        self, total_steps: int
    ) -> float | keras.optimizers.schedules.LearningRateSchedule:
        triangle, decay = self.scheduler["slanted_triangle"], self.scheduler["linear_decay"]
        warmup = self.scheduler["warmup"]
        if triangle["cut_fraction"]:
            return SlantedTriangle(self.learning_rate, total_steps, **triangle)
        if self.scheduler["noam_decay"]:
            return NoamDecay(self.learning_rate, max(1, int(total_steps * warmup)))
        if warmup or decay["start_point"] < 1:
            return WarmupLinearDecay(self.learning_rate, total_steps, warmup=warmup, **decay)
        return self.learning_rate


def _blocks(request: PlanRequest, wanted: Mapping[str, Any]) -> Blocks | None:
    if wanted["params_layer"]:
        return blocks_by_name(request, wanted["params_layer"])
    return blocks_by_depth(request, wanted["blocks"]) if wanted["blocks"] else None
