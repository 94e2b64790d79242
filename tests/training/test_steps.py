"""What a training step computes, and what the host asks of it."""

import numpy as np
import pytest
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.strategies import ScheduledStrategy
from hubcls.training import run_state
from hubcls.training.devices import distribution
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import FetchedMetrics


def sgd():
    return ScheduledStrategy(0.05, "sgd", "constant")


def test_metrics_become_numbers_when_one_is_read_with_the_loss_first():
    metrics = FetchedMetrics({"acc": tf.constant(0.5), "loss": tf.constant(2.0)})

    assert list(metrics) == ["loss", "acc"]
    assert not metrics._is_fetched
    assert dict(metrics) == {"loss": 2.0, "acc": 0.5}


def test_the_host_fetches_metrics_only_where_something_is_due(make_task, monkeypatch):
    fetched, steps = [], []
    fetch = FetchedMetrics.fetch
    monkeypatch.setattr(
        run_state.FetchedMetrics,
        "fetch",
        lambda metrics: fetched.append(len(steps)) or fetch(metrics),
    )
    task = make_task(batch_size=4, log_interval=5, strategy=sgd())
    task.add_hook("run_step_event", "count", lambda task, state: steps.append(type(state.metrics)))

    task.finetune()

    assert task.progress.total_steps == 12
    assert steps == [FetchedMetrics] * 12
    # Before the hooks of steps 5, 10 and 12, the epoch's last.
    assert {4, 9, 11} <= set(fetched) <= {4, 5, 9, 10, 11, 12}


def test_nothing_below_the_lowest_open_layer_is_differentiated(make_task):
    task = make_task(freeze=["stem"])
    batch = next(iter(task._assembly.stream.batches(0, 1)))

    graph = tf.function(task.classifier.train_step).get_concrete_function(batch).graph

    kinds = computed(graph)
    assert kinds.count("Conv2D") == 2
    assert kinds.count("Conv2DBackpropFilter") == 1
    assert "Conv2DBackpropInput" not in kinds


def computed(graph):
    """Kinds of the operations that a graph's results and assignments need; no other ever runs."""
    pending = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = {}
    while pending:
        operation = pending.pop()
        if operation.name not in found:
            found[operation.name] = operation.type
            pending += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return list(found.values())


def test_several_steps_in_one_go_train_the_same_weights(make_task, tmp_path):
    settings = {"num_epoch": 2, "batch_size": 5, "dropout": 0.5, "strategy": sgd()}
    seen, shown, saved = [], [], []
    each = make_task(**settings)
    several = make_task(
        **settings,
        steps_per_execution=4,
        log_interval=5,
        save_ckpt_interval=7,
        checkpoint_dir=tmp_path / "several",
    )
    several.add_hook("run_step_event", "see", lambda _, state: seen.append(state.step))
    several.add_hook(
        "log_interval_event", "see", lambda _, states: shown.append(states[0].run_examples)
    )
    several.add_hook(
        "save_ckpt_interval_event", "see", lambda task: saved.append(task.progress.step)
    )

    each.finetune()
    several.finetune()

    assert seen == [4, 8, 10, 14, 18, 20]
    # What an interval makes due waits for the end of the four steps that it falls in.
    assert shown == [40, 10, 40, 10]
    assert saved == [0, 8, 14, 20, 20]
    for one, other in zip(each.classifier.variables, several.classifier.variables, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


@pytest.mark.slow
def test_a_run_of_several_steps_in_one_go_resumes_anywhere(make_task, tmp_path):
    settings = {"num_epoch": 2, "batch_size": 5, "dropout": 0.5, "steps_per_execution": 4}
    straight = make_task(**settings)
    straight.finetune()
    folder = tmp_path / "killed"
    killed = make_task(**settings, save_ckpt_interval=3, checkpoint_dir=folder)

    def kill(task, state):
        if state.step == 14:
            raise KeyboardInterrupt

    killed.add_hook("run_step_event", "kill", kill)
    with pytest.raises(KeyboardInterrupt):
        killed.finetune()
    resumed = make_task(**settings, save_ckpt_interval=3, checkpoint_dir=folder)
    resumed.finetune()

    assert resumed.progress.step == 20
    for one, other in zip(straight.classifier.variables, resumed.classifier.variables, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


def test_several_steps_in_one_go_on_several_devices_are_refused(monkeypatch):
    class Two(tf.distribute.Strategy):
        num_replicas_in_sync = 2

        def __init__(self):
            pass

    monkeypatch.setattr("hubcls.training.devices._distribution", lambda config: Two())

    with pytest.raises(ConfigError, match="steps_per_execution=2 works on one device"):
        distribution(RunConfig(steps_per_execution=2))


def test_steps_per_execution_must_be_a_whole_number():
    with pytest.raises(ConfigError, match="steps_per_execution must be a whole number"):
        RunConfig(steps_per_execution=0)
