"""A card that TensorFlow does not use is a warning with its cure; no card is a mere note."""

import logging

import pytest
import tensorflow as tf

from hubcls.training import devices
from hubcls.training.run_config import RunConfig


@pytest.fixture
def machine(monkeypatch, tmp_path, caplog):
    """A function that lets a run choose its devices on a machine; gives the log records."""

    def choose(*, has_card, visible=None, physical=()):
        driver = tmp_path / "version"
        if has_card:
            driver.touch()
        monkeypatch.setattr(devices, "_NVIDIA_PATHS", (tmp_path / "none", driver))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(physical))
        with caplog.at_level(logging.INFO, logger="hubcls"):
            devices.distribution(RunConfig(use_cuda=True, distribution="one_device"))
        return caplog.records

    return choose


@pytest.mark.parametrize("visible", [None, "0"])
def test_an_unused_card_is_a_warning_that_names_the_extra(machine, visible):
    (record,) = machine(has_card=True, visible=visible)

    assert record.levelno == logging.WARNING
    assert "sees no GPU" in record.getMessage()
    assert "pip install 'hubcls[gpu]'" in record.getMessage()


def test_a_machine_without_a_card_gets_no_advice(machine):
    (record,) = machine(has_card=False)

    assert record.levelno == logging.INFO
    assert "sees no GPU" in record.getMessage()
    assert "pip" not in record.getMessage()


@pytest.mark.parametrize("hidden", [{"visible": "-1"}, {"visible": ""}, {"physical": ["GPU:0"]}])
def test_a_card_hidden_on_purpose_gets_no_advice(machine, hidden):
    (record,) = machine(has_card=True, **hidden)

    assert record.levelno == logging.INFO
