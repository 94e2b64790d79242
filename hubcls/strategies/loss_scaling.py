"""Loss scaling for float16 on which all devices agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class AgreedLossScaling(keras.optimizers.LossScaleOptimizer):
    """Keras' dynamic loss scaling that skips a step when any replica's gradient overflows.

    Keras looks at the first replica's gradients only, before they are added up (keras
    3.15), so an overflow on another one turns the weights into NaN.
    """

    def check_finite(self, grads: Sequence[Any]) -> Any:
        """Whether the gradients of all replicas are finite; a scalar bool."""
        is_finite = super().check_finite(grads)
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return is_finite
        overflows = tf.cast(tf.logical_not(is_finite), tf.float32)
        return tf.equal(context.all_reduce(tf.distribute.ReduceOp.SUM, overflows), 0.0)
