"""Schedules by name, and the strategy that takes them."""

import math

import keras
import numpy as np
import pytest

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.strategies import ScheduledStrategy
from hubcls.strategies.named_schedules import names, scheduled


def rates(options, *, epochs=10, warmup_epochs=0.0, learning_rate=0.5, steps_per_epoch=4):
    total = epochs * steps_per_epoch
    schedule = scheduled(
        options,
        learning_rate=learning_rate,
        total_steps=total,
        steps_per_epoch=steps_per_epoch,
        warmup_epochs=warmup_epochs,
    )
    return np.array([float(schedule(step)) for step in range(total)])


def test_a_warm_up_as_long_as_the_run_is_cut_off_with_a_warning(caplog):
    found = rates("cosine", epochs=2, warmup_epochs=5)

    assert (np.diff(found) > 0).all()
    assert "as long as the run" in caplog.text


def test_a_constant_rate_stays():
    assert set(rates("constant")) == {0.5}


def test_a_piecewise_rate_changes_with_the_first_step_of_an_epoch():
    found = rates({"name": "piecewise", "epochs": [3, 6], "factors": [1, 0.1, 0.01]})

    assert found == pytest.approx([0.5] * 12 + [0.05] * 12 + [0.005] * 16)


def test_piecewise_epochs_count_the_warm_up():
    options = {"name": "piecewise", "epochs": [3], "factors": [1, 0.1]}
    found = rates(options, warmup_epochs=1)

    assert found[4:] == pytest.approx([0.5] * 8 + [0.05] * 28)
    assert found[:4] == pytest.approx(0.5 * np.arange(1, 5) / 5)


def test_a_cosine_falls_to_its_end_behind_the_warm_up():
    found = rates({"name": "cosine", "end_factor": 0.2}, warmup_epochs=2.5)

    share = np.arange(30) / 30
    wanted = 0.1 + 0.4 * (1 + np.cos(math.pi * share)) / 2
    assert found[10:] == pytest.approx(wanted, rel=1e-5)


def test_a_line_and_a_power_fall_to_zero_after_the_last_step():
    left = 1 - np.arange(40) / 40

    assert rates("linear") == pytest.approx(0.5 * left, rel=1e-5)
    assert rates({"name": "polynomial", "power": 3.0}) == pytest.approx(0.5 * left**3, rel=1e-4)


def test_an_exponential_falls_every_so_many_epochs_or_all_the_time():
    steps = np.arange(40)

    by_steps = rates({"name": "exponential", "factor": 0.5, "epochs": 2})
    smooth = rates({"name": "exponential", "factor": 0.5, "epochs": 2, "is_stepwise": False})

    assert by_steps == pytest.approx(0.5 * 0.5 ** (steps // 8))
    assert smooth == pytest.approx(0.5 * 0.5 ** (steps / 8), rel=1e-5)


def test_noam_peaks_at_the_end_of_its_warm_up():
    found = rates("noam", warmup_epochs=2)

    assert found.argmax() == 7
    assert found[7] == pytest.approx(0.5)
    assert found[31] == pytest.approx(0.25)


def test_one_cycle_rises_and_falls_to_almost_nothing():
    found = rates("one_cycle")

    assert found[0] == pytest.approx(0.02)
    assert found.argmax() == 12
    assert found[12] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.5 * 4e-6, rel=0.01)
    assert (np.diff(found[:13]) > 0).all()
    assert (np.diff(found[12:]) < 0).all()


def test_the_slanted_triangle_is_the_one_of_ulmfit():
    found = rates({"name": "slanted_triangle", "cut_fraction": 0.25, "ratio": 10})

    assert found.argmax() == 10
    assert found[0] == pytest.approx(0.05)


@pytest.mark.parametrize("name", sorted(names()))
def test_a_schedule_survives_keras_serialisation(name):
    options = {"name": name}
    if name == "piecewise":
        options |= {"epochs": [3], "factors": [1, 0.1]}
    schedule = scheduled(
        options, learning_rate=0.1, total_steps=40, steps_per_epoch=4, warmup_epochs=1
    )
    assert type(schedule).__name__

    config = schedule.get_config()

    assert float(schedule(5)) > 0
    assert config


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"name": "cosine", "end": 0.1}, "end is unknown; it takes end_factor"),
        ({"name": "piecewise", "epochs": [3]}, "factors is missing"),
        ({"name": "piecewise", "epochs": [3], "factors": [1]}, "one factor more"),
        ({"name": "piecewise", "epochs": [6, 3], "factors": [1, 2, 3]}, "rising epochs"),
        ({"name": "cosine", "end_factor": 2}, r"end_factor must be in \[0, 1\]"),
        ({"name": "polynomial", "power": 0}, "power must be above 0"),
        ("noam", "give warmup_epochs"),
    ],
)
def test_options_that_make_no_schedule_are_refused(options, reason):
    with pytest.raises(ConfigError, match=reason):
        rates(options)


def test_an_unknown_schedule_names_the_nearest():
    with pytest.raises(UnknownNameError, match="cosine"):
        ScheduledStrategy(schedule="cosinus")


def test_values_out_of_range_are_all_listed():
    with pytest.raises(ConfigError) as raised:
        ScheduledStrategy(learning_rate=0, warmup_epochs=-1, layer_decay=2)

    for name in ("learning_rate", "warmup_epochs", "layer_decay"):
        assert name in str(raised.value)


def test_a_strategy_describes_itself_as_plain_values():
    strategy = ScheduledStrategy(
        0.1,
        schedule={"name": "piecewise", "epochs": (30, 60), "factors": (1, 0.1, 0.01)},
        regularization={"L2": 1e-4},
        nesterov=True,
    )

    described = strategy.describe()

    assert described["schedule"]["epochs"] == [30, 60]
    assert described["nesterov"] is True
    again = ScheduledStrategy(**{k: v for k, v in described.items() if k != "name"})
    assert again.describe() == described


def test_l1_pulls_weights_towards_zero_but_not_biases(request_for):
    request = request_for()
    strategy = ScheduledStrategy(
        0.1, "sgd", "constant", regularization={"L1": 0.5}, batch_norm="train"
    )
    optimizer = strategy.plan(request).optimizer
    (layer,) = [one for one in request.head.layers if isinstance(one, keras.layers.Dense)]
    kernel, bias = layer.kernel, layer.bias
    before, bias_before = (keras.ops.convert_to_numpy(one) for one in (kernel, bias))
    optimizer.build([kernel, bias])

    optimizer.apply([keras.ops.zeros_like(kernel), keras.ops.zeros_like(bias)], [kernel, bias])

    after = keras.ops.convert_to_numpy(kernel)
    np.testing.assert_allclose(after, before - 0.05 * np.sign(before), rtol=1e-5)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(bias), bias_before)
