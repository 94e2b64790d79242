"""The default strategy: a solved linear probe, then gentle fine-tuning from it."""

from __future__ import annotations

import math
from typing import Any

from hubcls.errors import ConfigError
from hubcls.strategies.base import FinetuneStrategy, Plan, PlanRequest
from hubcls.strategies.freezing import (
    BatchNormRule,
    check_batch_norm,
    frozen_inside,
    opened_layers,
    rates_by_group,
)
from hubcls.strategies.optimizers import build_optimizer, check_optimizer
from hubcls.strategies.rules import Clip, Regularization, variable_rules
from hubcls.strategies.schedules import WarmupCosine

_MOST_EPOCHS = 20


class AutoFinetuneStrategy(FinetuneStrategy):
    """LP-FT, Kumar et al. 2022, arXiv:2202.10054: probe first, so that features keep.

    The head is solved as a logistic regression on the frozen features. From there all
    layers train with Adam and decoupled weight decay: the head at the full rate, each
    group below at `layer_decay` times the rate of the one above; warm-up and cosine;
    gradients clipped to norm 1; BatchNorm wholly frozen. What is evaluated and kept is an
    exponential moving average of the weights (Tarvainen and Valpola 2017, arXiv:1703.01780,
    equation 1), for between the probe and the end single steps scatter. Where nothing is
    pretrained there is nothing to probe or to protect: all layers train from the start at one
    rate, and their weights are kept as they are.

    With no `num_epoch` from the user there are as many epochs as hold `steps` updates, at
    least 1 and at most 20. With `num_epoch=0` the probe is the result.
    """

    def __init__(
        self,
        learning_rate: float = 4e-4,
        *,
        layer_decay: float = 0.75,
        weight_decay: float = 0.01,
        warmup: float = 0.1,
        steps: int = 160,
        batch_norm: BatchNormRule = "auto",
        ema: float | None = 0.9,
        **optimizer_options: Any,
    ) -> None:
        """Check the arguments.

        Args:
            learning_rate: of the head at the peak.
            layer_decay: rate of a group relative to the one above it, in (0, 1].
            weight_decay: times the current rate is taken off every weight.
            warmup: share of the steps in which the rate rises, in [0, 1).
            steps: updates to aim at when the user names no number of epochs.
            batch_norm: as in `CombinedStrategy`.
            ema: momentum in (0, 1) of the moving average where weights are pretrained, lowered
                in runs of few batches so that it spans a tenth of them at most; None keeps the
                weights themselves. `RunConfig(ema=…)` goes before it.
            **optimizer_options: of Keras' Adam, e.g. `beta_2=0.99`, but none of its averages.

        Raises:
            ConfigError: a value is out of range; lists all of them.
        """
        check_batch_norm(batch_norm)
        check_optimizer("adam", optimizer_options)
        checks = [
            ("learning_rate", learning_rate, "above 0", learning_rate > 0),
            ("layer_decay", layer_decay, "in (0, 1]", 0 < layer_decay <= 1),
            ("weight_decay", weight_decay, "0 or more", weight_decay >= 0),
            ("warmup", warmup, "in [0, 1)", 0 <= warmup < 1),
            ("steps", steps, "at least 1", steps >= 1),
            ("ema", ema, "in (0, 1) or None", ema is None or 0 < ema < 1),
        ]
        wrong = [
            f"{name} must be {range_}, not {value}" for name, value, range_, ok in checks if not ok
        ]
        wrong += [
            f"{name} is ema here: a momentum, or None"
            for name in ("use_ema", "ema_momentum")
            if name in optimizer_options
        ]
        if wrong:
            raise ConfigError(
                "AutoFinetuneStrategy is given wrong values:\n  " + "\n  ".join(wrong)
            )
        self.learning_rate = learning_rate
        self.layer_decay = layer_decay
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.steps = steps
        self.batch_norm = batch_norm
        self.ema = ema
        self.optimizer_options = optimizer_options

    def plan(self, request: PlanRequest) -> Plan:
        """Adam with rates by group, and all layers open from the start."""
        averaging: dict[str, Any] = {}
        if request.is_pretrained and self.ema is not None:
            # The shortest runs keep averages, too: a run that goes on for longer finds them.
            momentum = max(0.0, min(self.ema, 1 - 10 / request.total_steps))
            averaging = {"use_ema": True, "ema_momentum": momentum}
        optimizer = build_optimizer(
            "adam",
            WarmupCosine(self.learning_rate, request.total_steps, warmup=self.warmup),
            rules=variable_rules(
                request,
                regularization=Regularization(weight_decay=self.weight_decay),
                multipliers=rates_by_group(request, self.layer_decay)
                if request.is_pretrained
                else None,
            ),
            clip=Clip("global_norm", 1.0),
            options=self.optimizer_options | averaging,
        )
        return Plan(
            optimizer=optimizer,
            open_layers=opened_layers(request, batch_norm=self.batch_norm),
            starts_from_probe=request.is_pretrained,
            frozen_inside=frozen_inside(request, self.batch_norm),
        )

    def num_epoch(self, num_examples: int, batch_size: int) -> int:
        """Epochs that hold about `steps` updates, in [1, 20]."""
        steps_per_epoch = math.ceil(num_examples / batch_size)
        return min(_MOST_EPOCHS, math.ceil(self.steps / steps_per_epoch))
