"""The same runs on one device and mirrored over two logical CPUs, in one process.

Usage: python mirrored_run.py RESULT.json CASE …
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import tensorflow as tf

CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

from conftest import small_backbone, striped_dataset

import hubcls
from hubcls.training.devices import (
    agree_on_statistics,
    distribution,
    synchronize_batch_norm,
)

CLIPPED_AND_DECAYED = dict(
    learning_rate=1e-2,
    scheduler={
        "warmup": 0.2,
        "linear_decay": {"start_point": 1.0, "end_learning_rate": 0.0},
    },
    regularization={"L2": 0.05},
    clip={"GlobalNorm": 0.05},
)
# 45 training and 17 validation images: neither is a multiple of the batch, and the last
# batch of the validation split is smaller than two replicas need.
CASES = {
    "auto": dict(strategy=hubcls.AutoFinetuneStrategy(learning_rate=1e-2)),
    "clip_l2_decay": dict(
        strategy=hubcls.CombinedStrategy(optimizer_name="sgd", **CLIPPED_AND_DECAYED)
    ),
    "l2sp": dict(
        strategy=hubcls.L2SPFinetuneStrategy(learning_rate=1e-2, regularization_coeff=0.1)
    ),
    "ulmfit": dict(strategy=hubcls.ULMFiTStrategy(learning_rate=1e-2)),
    "ema_smoothing_weights": dict(
        strategy=hubcls.DefaultStrategy(learning_rate=1e-2),
        ema=0.9,
        label_smoothing=0.1,
        class_weights="balanced",
    ),
    "batch_norm_trains": dict(
        strategy=hubcls.DefaultStrategy(learning_rate=1e-2, batch_norm="train")
    ),
    "accumulation": dict(
        strategy=hubcls.CombinedStrategy(
            optimizer_name="momentum",
            **CLIPPED_AND_DECAYED,
            batch_norm="frozen",
        ),
        gradient_accumulation=2,
        ema=0.9,
    ),
    "batch_norm_of_each_device": dict(
        strategy=hubcls.DefaultStrategy(learning_rate=1e-2, batch_norm="train"),
        sync_batch_norm=False,
    ),
    "mixed_bfloat16": dict(
        strategy=hubcls.DefaultStrategy(learning_rate=1e-2), mixed_precision="mixed_bfloat16"
    ),
}


def run(folder, settings, *, mirrored):
    task = hubcls.ImageClassifierTask(
        feature=small_backbone().output,
        dataset=striped_dataset(train=45, val=17, test=9),
        config=hubcls.RunConfig(
            checkpoint_dir=folder,
            num_epoch=2,
            batch_size=4 if mirrored else 8,
            distribution="mirrored" if mirrored else "one_device",
            **settings,
        ),
    )
    results = task.finetune_and_eval()
    weights = np.concatenate([np.asarray(w).ravel() for w in task.classifier.get_weights()])
    return {
        "weights": weights.tolist(),
        "loss": results["test"].loss,
        "replicas": task._assembly.devices.num_replicas_in_sync,
    }


def dropout_masks():
    """What one seeded Dropout does on each of two replicas."""
    strategy = distribution(hubcls.RunConfig(distribution="mirrored"))
    with strategy.scope():
        layer = keras.layers.Dropout(0.5, seed=5)

    @tf.function
    def step():
        return strategy.run(lambda: layer(tf.ones((1, 64)), training=True))

    return [mask.numpy().tolist() for mask in strategy.experimental_local_results(step())]


def moving_means(*, synchronized):
    """BatchNorm's moving mean on each device, of batches of ones and of threes, then agreed."""
    strategy = distribution(hubcls.RunConfig(distribution="mirrored"))
    with strategy.scope():
        layer = keras.layers.BatchNormalization(momentum=0.5)
        model = keras.Sequential([keras.Input((1,)), layer])
        if synchronized:
            synchronize_batch_norm(model)

    @tf.function
    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        model(tf.ones((4, 1)) * (1 + 2 * tf.cast(replica, tf.float32)), training=True)

    def copies():
        return [
            float(copy[0]) for copy in strategy.experimental_local_results(layer.moving_mean.value)
        ]

    strategy.run(step)
    before = copies()
    agree_on_statistics(model)
    return before, copies()


class ClipsEachDevice(hubcls.FinetuneStrategy):
    """A strategy of somebody's own, with an option that Keras applies to each device alone."""

    def plan(self, request):
        auto = hubcls.AutoFinetuneStrategy().plan(request)
        return dataclasses.replace(auto, optimizer=keras.optimizers.SGD(0.1, global_clipnorm=1.0))


def refusal(folder):
    """What a task on two devices says to an optimizer that fails there."""
    try:
        run(folder, dict(strategy=ClipsEachDevice()), mirrored=True)
    except hubcls.HubclsError as error:
        return str(error)
    return ""


def main(result, *cases):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in cases:
            settings = CASES[name]
            one = run(f"{folder}/{name}_one", settings, mirrored=False)
            two = run(f"{folder}/{name}_two", settings, mirrored=True)
            difference = np.abs(np.subtract(one.pop("weights"), two.pop("weights"))).max()
            found[name] = {"difference": float(difference), "one": one, "two": two}
        found["refusal"] = refusal(f"{folder}/refused")
    found["dropout_masks"] = dropout_masks()
    found["synchronized"] = moving_means(synchronized=True)
    found["each_its_own"] = moving_means(synchronized=False)
    Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
