"""Trains the same network on one and on two logical devices; prints how far they end apart.

Run by test_two_devices.py in a process of its own, for devices are cut once per process.
"""

import contextlib
import json

import keras
import numpy as np
import tensorflow as tf

from hubcls.strategies import (
    AgreedLossScaling,
    CombinedStrategy,
    PlanRequest,
    TrainableGroup,
    ULMFiTStrategy,
)
from hubcls.strategies.base import FinetuneStrategy, Plan

RATE = 0.05
BATCH, STEPS, EPOCHS = 8, 4, 2
NAMES = (("stem", "stem_norm", "low"), ("high",), ("logits",))


class KerasClip(FinetuneStrategy):
    """Keras' own clipping, to show that the data can tell."""

    def plan(self, request):
        optimizer = keras.optimizers.SGD(RATE, global_clipnorm=0.05)
        return Plan(optimizer, lambda epoch: request.layers)


class Accumulating(FinetuneStrategy):
    """Another strategy, every second batch of which makes an update."""

    def __init__(self, other):
        self.other = other

    def plan(self, request):
        plan = self.other.plan(request)
        plan.optimizer.gradient_accumulation_steps = 2
        return plan


SGD = CombinedStrategy("sgd", RATE, clip={"GlobalNorm": 0.05}, batch_norm="frozen")
CASES = {
    "accumulation": Accumulating(
        CombinedStrategy("adam", RATE, clip={"GlobalNorm": 0.05}, use_ema=True, ema_momentum=0.5)
    ),
    "clip by global norm": CombinedStrategy("sgd", RATE, clip={"GlobalNorm": 0.05}),
    "clip by norm": CombinedStrategy("sgd", RATE, clip={"Norm": 0.02}),
    "L2 and L2-SP": CombinedStrategy("momentum", RATE, regularization={"L2": 0.1, "L2SP": 0.2}),
    "weight decay and multipliers": CombinedStrategy(
        "adam", RATE, {"discriminative": {"blocks": 3}}, {"weight_decay": 0.1}
    ),
    "unfreezing and averages": ULMFiTStrategy(RATE, frz_blocks=2, use_ema=True, ema_momentum=0.5),
    "Keras' own clip": KerasClip(),
}


def network():
    values = keras.Input((6,))
    outputs = keras.layers.Dense(8, activation="relu", name="stem")(values)
    outputs = keras.layers.BatchNormalization(name="stem_norm")(outputs)
    outputs = keras.layers.Dense(8, activation="relu", name="low")(outputs)
    outputs = keras.layers.Dense(8, activation="relu", name="high")(outputs)
    model = keras.Model(values, keras.layers.Dense(3, dtype="float32", name="logits")(outputs))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0.3, 0.3, variable.shape))
    return model


def batches(size=BATCH):
    random = np.random.default_rng(1)
    inputs = random.normal(size=(BATCH * STEPS, 6)).astype("float32")
    targets = np.eye(3, dtype="float32")[random.integers(0, 3, BATCH * STEPS)]
    return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(size)


def planned(model, strategy):
    groups = tuple(
        TrainableGroup(names[0], tuple(map(model.get_layer, names)), is_head=names == ("logits",))
        for names in NAMES
    )
    request = PlanRequest(groups, STEPS, EPOCHS, BATCH * STEPS)
    return groups, strategy.plan(request)


def trained(strategy, devices, *, mixed=False, size=BATCH):
    """Weights after two epochs of `fit` on batches of this size."""
    scope = contextlib.nullcontext() if devices is None else devices.scope()
    with scope:
        model = network()
        groups, plan = planned(model, strategy)
        plan.optimizer.build(plan.ever_open_variables(groups, EPOCHS))
        optimizer = AgreedLossScaling(plan.optimizer) if mixed else plan.optimizer
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, jit_compile=False)
    for epoch in range(EPOCHS):
        if plan.set_trainable(groups, epoch):
            model.make_train_function(force=True)
        model.fit(batches(size), verbose=0, shuffle=False)
    return [np.array(weight) for weight in model.get_weights()]


def distance(one, other):
    return float(max(np.abs(a - b).max() for a, b in zip(one, other, strict=True)))


def overflow_on(devices, replica):
    """The weight after one step with infinite gradients on one replica, and the loss scale."""
    with devices.scope():
        variable = keras.Variable([[1.0]])
        optimizer = AgreedLossScaling(keras.optimizers.SGD(0.1), initial_scale=8.0)
        optimizer.build([variable])

    def update():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        optimizer.apply([tf.where(number == replica, [[np.inf]], [[8.0]])], [variable])

    tf.function(lambda: devices.run(update))()
    return float(variable.numpy().item()), float(optimizer.dynamic_scale.numpy())


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    devices = tf.distribute.MirroredStrategy(
        ["/cpu:0", "/cpu:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    report = {
        "apart": {
            name: distance(trained(strategy, None), trained(strategy, devices))
            for name, strategy in CASES.items()
        },
        "overflow": [overflow_on(devices, replica) for replica in (0, 1, 2)],
    }
    report["halves and wholes"] = distance(
        trained(Accumulating(SGD), devices), trained(SGD, devices, size=2 * BATCH)
    )
    keras.config.set_dtype_policy("mixed_float16")
    for name, strategy in (("float16", SGD), ("float16, accumulated", Accumulating(SGD))):
        report["apart"][name] = distance(
            trained(strategy, None, mixed=True), trained(strategy, devices, mixed=True)
        )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
