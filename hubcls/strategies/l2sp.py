"""Fine-tuning that stays near the pretrained weights."""

from __future__ import annotations

from typing import Any

from hubcls.strategies.combined import CombinedStrategy
from hubcls.strategies.freezing import BatchNormRule


class L2SPFinetuneStrategy(CombinedStrategy):
    """Pulls pretrained weights towards where they started, not towards zero.

    L2-SP, Li et al. 2018, arXiv:1802.01483, equation 4, of which this is the first term;
    as in PaddleHub the new head is not regularised. For the paper's second term, too, add
    `add_regularization("L2", coefficient)`, which then regards the head only.
    """

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
            regularization_coeff: times (w − w0) joins each pretrained weight's gradient.
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        super().__init__(
            optimizer_name,
            learning_rate,
            regularization={"L2SP": regularization_coeff},
            batch_norm=batch_norm,
            **optimizer_options,
        )
        self.regularization_coeff = regularization_coeff
