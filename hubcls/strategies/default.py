"""PaddleHub's plain strategies: one optimizer, all layers, with or without decay."""

from __future__ import annotations

from typing import Any, Literal

from hubcls.errors import ConfigError
from hubcls.strategies.combined import CombinedStrategy
from hubcls.strategies.freezing import BatchNormRule


class DefaultStrategy(CombinedStrategy):
    """An optimizer at a constant learning rate, for all layers."""

    def __init__(
        self,
        learning_rate: float = 1e-4,
        optimizer_name: str = "adam",
        *,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check the arguments.

        Args:
            learning_rate: of every step.
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        super().__init__(optimizer_name, learning_rate, batch_norm=batch_norm, **optimizer_options)


class AdamWeightDecayStrategy(CombinedStrategy):
    """Adam with decoupled weight decay, warm-up, a falling rate and clipping at norm 1."""

    def __init__(
        self,
        learning_rate: float = 1e-4,
        lr_scheduler: Literal["linear_decay", "noam_decay"] = "linear_decay",
        warmup_proportion: float = 0.1,
        weight_decay: float = 0.01,
        optimizer_name: str = "adam",
        *,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check the arguments.

        Args:
            learning_rate: after the warm-up.
            lr_scheduler: how the rate falls: in a line to 0, or with the root of the step.
            warmup_proportion: share of the steps in which the rate rises.
            weight_decay: times the current rate is taken off every weight.
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        if lr_scheduler not in ("linear_decay", "noam_decay"):
            raise ConfigError(
                f"lr_scheduler must be linear_decay or noam_decay, not {lr_scheduler!r}"
            )
        falling: dict[str, Any] = {"noam_decay": True}
        if lr_scheduler == "linear_decay":
            falling = {"linear_decay": {"start_point": warmup_proportion}}
        super().__init__(
            optimizer_name,
            learning_rate,
            scheduler={"warmup": warmup_proportion, **falling},
            regularization={"weight_decay": weight_decay},
            clip={"GlobalNorm": 1.0},
            batch_norm=batch_norm,
            **optimizer_options,
        )
        self.lr_scheduler = lr_scheduler
        self.warmup_proportion = warmup_proportion
        self.weight_decay = weight_decay


class DefaultFinetuneStrategy(CombinedStrategy):
    """An optimizer at a constant learning rate, with L2 on every weight."""

    def __init__(
        self,
        learning_rate: float = 1e-4,
        optimizer_name: str = "adam",
        regularization_coeff: float = 1e-3,
        *,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check the arguments.

        Args:
            learning_rate: of every step.
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            regularization_coeff: times w joins each weight's gradient.
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        super().__init__(
            optimizer_name,
            learning_rate,
            regularization={"L2": regularization_coeff},
            batch_norm=batch_norm,
            **optimizer_options,
        )
        self.regularization_coeff = regularization_coeff
