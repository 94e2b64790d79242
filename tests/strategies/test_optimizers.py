"""Optimizers by name, with PaddlePaddle's meaning."""

import keras
import numpy as np
import pytest

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.strategies import optimizers
from hubcls.strategies.optimizers import (
    build_optimizer,
    check_optimizer,
    implied_weight_decay,
    names,
)
from hubcls.strategies.rules import Rules, VariableRule

START = np.array([[1.0, -2.0], [0.5, 4.0]])
GRADIENTS = [np.array([[0.3, -0.4], [2.0, 1.2]]), np.array([[-1.0, 0.1], [0.5, 0.7]])]
RATE = 0.1
PADDLEHUB_NAMES = (
    "sgd", "adagrad", "adamax", "decayedadagrad", "ftrl", "larsmomentum", "momentum", "rmsprop",
    "adam",
)  # fmt: skip


def after(name, start=START, **options):
    variable = keras.Variable(start.astype("float32"))
    rules = Rules({id(variable): VariableRule()})
    optimizer = build_optimizer(name, RATE, rules=rules, options=options)
    optimizer.build([variable])
    for gradient in GRADIENTS:
        gradient = gradient.reshape(start.shape)
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
    return variable.numpy()


def formula(step, start=START):
    """The weight after both gradients; `step(w, g, state)` gives the next weight and state."""
    weight, state = start, 0.0
    for gradient in GRADIENTS:
        weight, state = step(weight, gradient.reshape(start.shape), state)
    return weight


def sgd(w, g, state):
    return w - RATE * g, state


def momentum(w, g, velocity):
    velocity = 0.9 * velocity + g
    return w - RATE * velocity, velocity


def adagrad(w, g, total):
    total = total + g**2
    return w - RATE * g / np.sqrt(total), total


def decayed_adagrad(w, g, mean):
    mean = 0.95 * mean + 0.05 * g**2
    return w - RATE * g / (np.sqrt(mean) + 1e-6), mean


def rmsprop(w, g, mean):
    mean = 0.95 * mean + 0.05 * g**2
    return w - RATE * g / np.sqrt(mean + 1e-6), mean


def lars(w, g, velocity):
    weight_norm, gradient_norm = np.sqrt((w**2).sum()), np.sqrt((g**2).sum())
    local = RATE * 1e-3 * weight_norm / (gradient_norm + 5e-4 * weight_norm)
    velocity = 0.9 * velocity + local * (g + 5e-4 * w)
    return w - velocity, velocity


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("sgd", sgd),
        ("momentum", momentum),
        ("adagrad", adagrad),
        ("ftrl", adagrad),
        ("decayedadagrad", decayed_adagrad),
        ("rmsprop", rmsprop),
        ("larsmomentum", lars),
    ],
)
def test_optimizer_is_paddlepaddles_formula(name, step):
    np.testing.assert_allclose(after(name), formula(step), rtol=5e-5)


def test_ftrl_is_the_follow_the_regularised_leader_formula():
    # McMahan et al. 2013, algorithm 1, without L1 and L2, started so that w is START.
    weight, total, linear = START, 0.0, 0.0
    for gradient in GRADIENTS:
        grown = np.sqrt(total + gradient**2)
        linear = linear + gradient - (grown - np.sqrt(total)) / RATE * weight
        total, weight = total + gradient**2, -linear / (grown / RATE)

    np.testing.assert_allclose(after("ftrl"), weight, rtol=1e-5)


def test_lars_moves_biases_by_plain_momentum():
    start = START.reshape(4)

    np.testing.assert_allclose(after("larsmomentum", start), formula(momentum, start), rtol=1e-5)


def test_lars_moves_zero_weights_too():
    moved = after("larsmomentum", np.zeros((2, 2)))

    assert np.isfinite(moved).all()
    assert moved.all()


def test_adam_takes_keras_options_and_defaults():
    variable = keras.Variable(START.astype("float32"))
    reference = keras.optimizers.Adam(RATE, beta_2=0.9)
    for gradient in GRADIENTS:
        reference.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])

    np.testing.assert_allclose(after("adam", beta_2=0.9), variable.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", PADDLEHUB_NAMES)
def test_paddlehubs_names_are_known_in_any_case(name):
    check_optimizer(name.upper(), {})

    assert name in names()


def test_an_unknown_optimizer_lists_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Nearest names: .*adam"):
        check_optimizer("adamm", {})


def test_adamw_implies_decay():
    assert implied_weight_decay("AdamW") == 0.01
    assert implied_weight_decay("adam") == 0.0


def test_wrong_options_are_reported_together_with_the_right_ones():
    with pytest.raises(ConfigError) as error:
        check_optimizer("adam", {"beta1": 0.9, "global_clipnorm": 1.0, "learning_rate": 0.1})

    for part in ("beta1 is unknown; it takes beta_1", 'clip={"GlobalNorm"', "own learning_rate"):
        assert part in str(error.value)


@pytest.mark.parametrize("option", sorted(optimizers._INSTEAD))
def test_what_the_strategy_decides_itself_names_the_other_way(option):
    with pytest.raises(ConfigError, match=f"{option} is not for the optimizer; use "):
        check_optimizer("adam", {option: 1})


@pytest.mark.parametrize(
    "options",
    [
        {"clipnorm": 1.0},
        {"global_clipnorm": 1.0},
        {"clipvalue": 1.0},
        {"gradient_accumulation_steps": 2},
        {"use_ema": True, "ema_overwrite_frequency": 5},
    ],
)
def test_an_optimizer_of_ones_own_is_refused_on_several_devices_by_option(options):
    optimizer = keras.optimizers.SGD(0.1, **options)

    with pytest.raises(ConfigError, match=f"(?s){list(options)[-1]}: use .*one_device"):
        optimizers.check_for_replicas(optimizer)

    optimizers.check_for_replicas(keras.optimizers.SGD(0.1, momentum=0.9))


def test_ftrl_has_no_l1_option():
    with pytest.raises(ConfigError, match="l1_regularization_strength is unknown"):
        check_optimizer("ftrl", {"l1_regularization_strength": 0.1})
