"""Which devices and which precision a run takes, by what TensorFlow says of the machine."""

import keras
import pytest
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.training import devices
from hubcls.training.precision import dtype_policy
from hubcls.training.run_config import RunConfig


def small_network():
    image = keras.Input((8, 8, 3))
    return keras.Model(image, keras.layers.Conv2D(4, 3)(image))


@pytest.fixture
def with_gpus(monkeypatch):
    """A function: TensorFlow sees GPUs of these compute capabilities."""

    def pretend(*capabilities):
        physical = [
            tf.config.PhysicalDevice(f"/physical_device:GPU:{number}", "GPU")
            for number in range(len(capabilities))
        ]
        logical = [
            tf.config.LogicalDevice(f"/device:GPU:{number}", "GPU")
            for number in range(len(capabilities))
        ]
        details = {
            gpu: {"compute_capability": capability} if capability else {}
            for gpu, capability in zip(physical, capabilities, strict=True)
        }
        monkeypatch.setattr(
            tf.config, "list_physical_devices", lambda kind: physical if kind == "GPU" else []
        )
        monkeypatch.setattr(
            tf.config, "list_logical_devices", lambda kind: logical if kind == "GPU" else []
        )
        monkeypatch.setattr(tf.config.experimental, "get_device_details", details.__getitem__)

    return pretend


@pytest.fixture
def mirrored(monkeypatch):
    """The lists of devices over which a run was mirrored."""
    calls = []
    monkeypatch.setattr(devices, "_mirrored", lambda names: calls.append(names) or "mirrored")
    return calls


@pytest.fixture
def hidden(monkeypatch):
    """The calls that changed which devices are visible."""
    calls = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *given: calls.append(given))
    return calls


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([], "float32"),
        ([None], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 0)], "mixed_float16"),
        ([(7, 5)], "mixed_float16"),
        ([(8, 0)], "mixed_bfloat16"),
        ([(10, 0)], "mixed_bfloat16"),
        ([(9, 0), (7, 0)], "mixed_float16"),
        ([(6, 1), (9, 0)], "float32"),
    ],
)
def test_automatic_precision_of_what_is_too_small_to_measure_is_the_weakest_gpus(
    capabilities, policy, with_gpus
):
    with_gpus(*capabilities)

    assert dtype_policy(RunConfig(), small_network()) == policy


def test_automatic_precision_without_use_cuda_is_float32(with_gpus):
    with_gpus((9, 0))

    assert dtype_policy(RunConfig(use_cuda=False), small_network()) == "float32"


def test_a_precision_that_was_asked_for_is_taken_whatever_the_gpu(with_gpus):
    with_gpus((6, 1))

    config = RunConfig(mixed_precision="mixed_float16")

    assert dtype_policy(config, small_network()) == "mixed_float16"


@pytest.mark.parametrize("distribution", ["auto", "mirrored"])
def test_two_gpus_are_mirrored(distribution, with_gpus, mirrored):
    with_gpus((9, 0), (9, 0))

    strategy = devices.distribution(RunConfig(distribution=distribution))

    assert strategy == "mirrored"
    assert mirrored == [("/device:GPU:0", "/device:GPU:1")]


@pytest.mark.parametrize(
    "settings", [{"distribution": "one_device"}, {"use_data_parallel": False}], ids=str
)
def test_two_gpus_are_not_mirrored_when_one_device_is_asked_for(settings, with_gpus, mirrored):
    with_gpus((9, 0), (9, 0))

    strategy = devices.distribution(RunConfig(**settings))

    assert strategy is tf.distribute.get_strategy()
    assert mirrored == []


def test_one_gpu_is_not_mirrored(with_gpus, mirrored):
    with_gpus((9, 0))

    strategy = devices.distribution(RunConfig())

    assert strategy is tf.distribute.get_strategy()
    assert mirrored == []


def test_without_use_cuda_the_gpus_are_hidden_and_not_mirrored(with_gpus, mirrored, hidden):
    with_gpus((9, 0), (9, 0))

    strategy = devices.distribution(RunConfig(use_cuda=False))

    assert strategy is tf.distribute.get_strategy()
    assert hidden == [([], "GPU")]
    assert mirrored == []


def test_with_use_cuda_no_gpu_is_hidden(with_gpus, mirrored, hidden):
    with_gpus((9, 0), (9, 0))

    devices.distribution(RunConfig())

    assert hidden == []


def test_gpus_that_are_in_use_already_cannot_be_hidden_and_the_error_says_how(
    with_gpus, monkeypatch
):
    def refuse(*_):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    with_gpus((9, 0))
    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)

    with pytest.raises(ConfigError, match=r"use_cuda=False comes too late.*CUDA_VISIBLE_DEVICES="):
        devices.distribution(RunConfig(use_cuda=False))
