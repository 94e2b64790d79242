"""A mix-in that makes a Keras optimizer follow per-variable rules on one or many devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from hubcls.strategies.rules import Clip, Rules, VariableRule


class RuledUpdates(keras.optimizers.Optimizer):
    """Learning-rate multipliers, regularisation and clipping for any Keras optimizer.

    Stands before a Keras optimizer among the bases. Each update clips the gradients, adds
    L1, L2 and L2-SP to them, shrinks the weights by the decoupled decay, then lets the
    optimizer take its step; that is PaddleHub's order. All state, the start weights of
    L2-SP included, lies in `optimizer.variables`, so restoring these resumes exactly.
    """

    def __init__(self, *args: Any, rules: Rules, clip: Clip | None = None, **kwargs: Any) -> None:
        """Hand everything but `rules` and `clip` to the Keras optimizer."""
        super().__init__(*args, **kwargs)
        self._rules = rules
        self._clip = clip

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Look up each variable's rule and remember where L2-SP starts from.

        Build once on every variable that ever trains; `apply` then takes any part of them.
        """
        if self.built:
            return
        variables = list(variables)
        self._rule_by_index = tuple(self._rules.of(variable) for variable in variables)
        super().build(variables)
        self._start_weights = [
            self._remembered(variable) if rule.l2sp else None
            for variable, rule in zip(variables, self._rule_by_index, strict=True)
        ]

    def _backend_apply_gradients(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any]
    ) -> None:
        """Accumulate on several replicas, where Keras cannot (keras 3.15).

        Keras' update is a branch of a condition, in which replicas may not meet. Ours meet
        first; each variable is then updated, or not, on every replica alike.
        """
        context = tf.distribute.get_replica_context()
        is_alone = context is None or context.num_replicas_in_sync == 1
        if is_alone or not self.gradient_accumulation_steps:
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        accumulators = [
            self._accumulated_gradients[self._get_variable_index(variable)].value
            for variable in trainable_variables
        ]
        added = context.all_reduce(tf.distribute.ReduceOp.SUM, list(grads))
        sums = [kept + new for kept, new in zip(accumulators, added, strict=True)]
        means = [total / self.gradient_accumulation_steps for total in sums]
        if self._clip is not None:
            means = _shortened(means, self._clip)
        # `iterations` counts updates, `_iterations` batches.
        is_update = tf.equal((self._iterations + 1) % self.gradient_accumulation_steps, 0)
        rate = tf.convert_to_tensor(self.learning_rate)
        variables = [variable.value for variable in trainable_variables]

        def meet(devices: tf.distribute.Strategy, is_update: Any, *tensors: Any) -> None:
            rate, means, sums = tensors
            for variable, mean in zip(variables, means, strict=True):
                arguments = (is_update, mean, rate)
                devices.extended.update(variable, self._update_if, arguments, group=False)
            for accumulator, total in zip(accumulators, sums, strict=True):
                devices.extended.update(accumulator, _keep_until, (is_update, total), group=False)

        context.merge_call(meet, args=(is_update, rate, means, sums))
        if self.use_ema:
            self._update_model_variables_moving_average(self._trainable_variables)

    def _update_if(self, variable: Any, is_update: Any, gradient: Any, rate: Any) -> None:
        """`update_step` of one replica's copy, or nothing."""

        def update() -> Any:
            self.update_step(gradient, variable, rate)
            return tf.no_op()

        tf.cond(is_update, update, tf.no_op)

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Any, learning_rate: Any
    ) -> None:
        """Clip the gradients of the whole global batch, accumulated ones too, then update.

        Keras clips each replica's share before it adds them up, so its result depends on
        the number of devices (keras 3.15).
        """
        if self._clip is not None:
            grads = _clipped(list(grads), self._clip)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable by its rule; runs on each replica, after the all-reduce."""
        index = self._get_variable_index(variable)
        rule: VariableRule = self._rule_by_index[index]
        rate = keras.ops.cast(learning_rate, variable.dtype) * rule.multiplier
        if rule.l1:
            gradient = tf.convert_to_tensor(gradient) + rule.l1 * keras.ops.sign(variable)
        if rule.l2:
            gradient = tf.convert_to_tensor(gradient) + rule.l2 * variable
        if rule.l2sp:
            distance = keras.ops.subtract(variable, self._start_weights[index])
            gradient = tf.convert_to_tensor(gradient) + rule.l2sp * distance
        if rule.weight_decay:
            shrinkage = rule.weight_decay * rate * variable
            self.assign_sub(variable, shrinkage)
        super().update_step(gradient, variable, rate)

    def finalize_variable_values(self, var_list: Any) -> None:
        """Put the moving averages, if kept, into all variables that were ever trained.

        Keras pairs `var_list` with the averages by position (keras 3.15), which mixes them
        up when some of the variables are frozen at the end of training.
        """
        super().finalize_variable_values(self._trainable_variables)

    def _remembered(self, variable: keras.Variable) -> keras.Variable:
        start = self.add_variable_from_reference(variable, name="start")
        start.assign(variable)
        return start


def _clipped(gradients: list[Any], clip: Clip) -> list[Any]:
    """The gradients to hand to Keras, which adds them up over the replicas."""
    present = [gradient for gradient in gradients if gradient is not None]
    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    if replicas > 1 and present:
        present = context.all_reduce(tf.distribute.ReduceOp.SUM, present)
    present = _shortened(present, clip)
    shares = iter([gradient / replicas if replicas > 1 else gradient for gradient in present])
    return [None if gradient is None else next(shares) for gradient in gradients]


def _shortened(gradients: list[Any], clip: Clip) -> list[Any]:
    """The gradients, none of them None, cut to the norm."""
    if clip.kind == "global_norm":
        shortened, _ = tf.clip_by_global_norm(gradients, clip.value)
        return list(shortened)
    return [tf.clip_by_norm(gradient, clip.value) for gradient in gradients]


def _keep_until(accumulator: Any, is_update: Any, total: Any) -> None:
    """The sum of the gradients, from nothing again after an update."""
    accumulator.assign(tf.where(is_update, tf.zeros_like(total), total))
