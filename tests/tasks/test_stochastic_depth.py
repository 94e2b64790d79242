"""Training with stochastic depth, as a config asks for it."""

import numpy as np
import pytest
import yaml

import hubcls
from hubcls.backbones.layers import ResidualSum
from hubcls.config.building import read_config
from hubcls.config.reading import override

CONFIG = (
    "module={name: resnet20_cifar, weights: null, input_size: 8, stochastic_depth: 0.9}",
    "dataset={name: digits, train_examples: 32}",
    "strategy={name: scheduled, learning_rate: 0.01}",
    "run.num_epoch=1",
)


def trained(folder, *changes, path=None):
    """The task of the config, or of a run's config.yaml, at its end."""
    changes = (*changes, f"run.checkpoint_dir={folder}")
    task = read_config(path, map(override, changes if path else (*CONFIG, *changes))).build_task()
    task.finetune()
    return task


def test_a_run_in_mixed_precision_with_frozen_layers_saves_what_predicts_the_same_twice(tmp_path):
    task = trained(tmp_path, "run.mixed_precision=mixed_bfloat16", "run.freeze=[stem]")
    images = list(task.ingredients.dataset.split("test").images[:4])

    first, second = (hubcls.load(tmp_path).predict(images) for _ in range(2))

    rates = [one.rate for one in task.classifier.layers if isinstance(one, ResidualSum)]
    np.testing.assert_allclose(rates, np.arange(1, 10) / 10)
    assert first == second


@pytest.mark.slow
def test_a_runs_own_config_repeats_it_to_the_bit(tmp_path):
    run = trained(tmp_path / "run")

    again = trained(tmp_path / "again", path=tmp_path / "run" / "config.yaml")

    facts = yaml.safe_load((tmp_path / "again" / "config.yaml").read_text(encoding="utf-8"))
    assert facts["module"]["stochastic_depth"] == 0.9
    for one, other in zip(run.classifier.variables, again.classifier.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)
