"""Which devices a run uses, and what Keras needs to be right there."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.logs import logger
from hubcls.training.run_config import RunConfig

# Where Linux shows NVIDIA's driver, and the first card.
_NVIDIA_PATHS = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidia0"))
# Any odd number far larger than the counters it is added to keeps the streams apart.
_REPLICA_STRIDE = 1_000_003


def distribution(config: RunConfig) -> tf.distribute.Strategy:
    """The tf.distribute strategy that a run asks for.

    Raises:
        ConfigError: "mirrored" without at least two devices, or `steps_per_execution` with
            several.
    """
    strategy = _distribution(config)
    if config.steps_per_execution > 1 and strategy.num_replicas_in_sync > 1:
        raise ConfigError(
            f"steps_per_execution={config.steps_per_execution} works on one device alone "
            f"(TensorFlow 2.21), and this run has {strategy.num_replicas_in_sync}; "
            'leave it out, or pass distribution="one_device"'
        )
    return strategy


def _distribution(config: RunConfig) -> tf.distribute.Strategy:
    gpus = _usable_gpus(config)
    if config.distribution == "one_device" or not config.use_data_parallel:
        return tf.distribute.get_strategy()
    if config.distribution == "mirrored":
        devices = gpus if len(gpus) > 1 else [d.name for d in tf.config.list_logical_devices("CPU")]
        if len(devices) < 2:
            raise ConfigError(
                'distribution="mirrored" needs at least two GPUs or two logical CPU devices, '
                f'and TensorFlow sees {len(gpus)} GPU(s); use "auto" or "one_device"'
            )
        return _mirrored(tuple(devices))
    return _mirrored(tuple(gpus)) if len(gpus) > 1 else tf.distribute.get_strategy()


def describe_devices(strategy: tf.distribute.Strategy) -> str:
    """The devices in words, for the log."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    count = strategy.num_replicas_in_sync
    return f"one {kind}" if count == 1 else f"{count} devices, mirrored"


def use_replica_seeds() -> None:
    """Give every replica its own random masks.

    Keras 3.15 draws the same dropout mask on each replica of a MirroredStrategy, since
    they share one seed state. Adding the replica's number to the drawn seed leaves the
    state, and with it the first replica and single devices, as they are.
    """
    if getattr(keras.random.SeedGenerator.next, "is_replica_aware", False):
        return
    keras.random.SeedGenerator.next = _replica_aware(keras.random.SeedGenerator.next)


def synchronize_batch_norm(model: keras.Model) -> None:
    """Let BatchNorm layers that train take their statistics over all replicas."""
    for layer in _batch_norms(model):
        layer.synchronized = True


def agree_on_statistics(model: keras.Model) -> None:
    """Give all replicas the mean of their moving averages, where BatchNorm is not synchronised.

    Keras evaluates with each replica's own and saves those of the first (keras 3.15).
    """
    devices = model.distribute_strategy
    if devices.num_replicas_in_sync == 1:
        return
    for layer in _batch_norms(model):
        for variable in () if layer.synchronized else layer.non_trainable_variables:
            copies = devices.experimental_local_results(variable.value)
            variable.assign(np.mean([copy.numpy() for copy in copies], axis=0))


def _batch_norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            yield layer


def _usable_gpus(config: RunConfig) -> list[str]:
    if not config.use_cuda:
        hide_gpus()
        return []
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    if not gpus:
        _say_that_no_gpu_is_used()
    return gpus


def _say_that_no_gpu_is_used() -> None:
    says = "use_cuda is set, but TensorFlow sees no GPU: going on with the CPU"
    is_hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"} or bool(
        tf.config.list_physical_devices("GPU")
    )
    if is_hidden or not any(path.exists() for path in _NVIDIA_PATHS):
        logger.info(says)
        return
    # TensorFlow's wheel brings no CUDA libraries unless its extra is asked for.
    logger.warning(
        "%s.\n  This machine has an NVIDIA card; what TensorFlow lacks comes with: "
        "pip install 'hubcls[gpu]'",
        says,
    )


def hide_gpus() -> None:
    """Keep TensorFlow off the GPUs of this process.

    Raises:
        ConfigError: TensorFlow uses one already.
    """
    if not tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:
        raise ConfigError(
            "use_cuda=False comes too late: TensorFlow uses the GPU already in this process; "
            "start it with CUDA_VISIBLE_DEVICES= instead"
        ) from None


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    # One object per process and devices: a second one dies with a shape mismatch in its
    # collectives (TensorFlow 2.21).
    use_replica_seeds()
    is_cpu = "CPU" in devices[0]
    operations = tf.distribute.ReductionToOneDevice() if is_cpu else None
    return tf.distribute.MirroredStrategy(list(devices), cross_device_ops=operations)


def _replica_aware(draw: Any) -> Any:
    @functools.wraps(draw)
    def next_seed(self: Any, ordered: bool = True) -> Any:
        seed = draw(self, ordered)
        if not tf.distribute.has_strategy() or tf.distribute.in_cross_replica_context():
            return seed
        context = tf.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return seed
        replica = tf.cast(context.replica_id_in_sync_group, tf.int64)
        return seed + tf.cast(tf.stack([replica * _REPLICA_STRIDE, 0]), seed.dtype)

    next_seed.is_replica_aware = True  # type: ignore[attr-defined]
    return next_seed
