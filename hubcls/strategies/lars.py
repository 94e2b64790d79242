"""Momentum with a learning rate for each layer in proportion to its weights."""

from __future__ import annotations

from typing import Any

import keras


class LarsMomentum(keras.optimizers.SGD):
    """Layer-wise adaptive rate scaling: You et al. 2017, arXiv:1708.03888, algorithm 1.

    Numbers are PaddlePaddle's. Biases, scales and other vectors take plain momentum
    without decay, as in the authors' later code; PaddlePaddle scales them, too. So does a
    variable take that whose weights or gradient are all zero, where the ratio is undefined.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        momentum: float = 0.9,
        *,
        lars_coeff: float = 1e-3,
        lars_weight_decay: float = 5e-4,
        **kwargs: Any,
    ) -> None:
        """Store the numbers.

        Args:
            learning_rate: the global rate.
            momentum: share of the last step that is kept.
            lars_coeff: how far a layer moves at most, relative to its weights.
            lars_weight_decay: pull towards zero, inside the ratio.
            **kwargs: what every Keras optimizer takes.
        """
        super().__init__(learning_rate=learning_rate, momentum=momentum, **kwargs)
        self.lars_coeff = lars_coeff
        self.lars_weight_decay = lars_weight_decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Scale the rate by ‖w‖ / (‖g‖ + decay · ‖w‖), then take a momentum step."""
        rate = keras.ops.cast(learning_rate, variable.dtype)
        if len(variable.shape) > 1:
            gradient = keras.ops.convert_to_tensor(gradient)
            weight_norm = keras.ops.norm(keras.ops.reshape(variable, (-1,)))
            gradient_norm = keras.ops.norm(keras.ops.reshape(gradient, (-1,)))
            span = gradient_norm + self.lars_weight_decay * weight_norm
            is_defined = (weight_norm > 0) & (gradient_norm > 0)
            ratio = self.lars_coeff * weight_norm / keras.ops.where(is_defined, span, 1.0)
            rate = rate * keras.ops.where(is_defined, ratio, 1.0)
            gradient = gradient + self.lars_weight_decay * variable
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        own = {"lars_coeff": self.lars_coeff, "lars_weight_decay": self.lars_weight_decay}
        return {**super().get_config(), **own}
