"""One update at a time against its formula in NumPy."""

import keras
import numpy as np
import pytest

from hubcls.strategies.optimizers import build_optimizer, names
from hubcls.strategies.rules import Clip, Rules, VariableRule

START = {"a": np.array([[1.0, -2.0], [3.0, 0.5]]), "b": np.array([[0.5, 4.0]])}
GRADIENT = {"a": np.array([[0.3, -0.4], [0.0, 1.2]]), "b": np.array([[2.0, -1.0]])}
RATE = 0.1


def variables():
    return [keras.Variable(START[name].astype("float32"), name=name) for name in "ab"]


def optimizer_for(trained, *, name="sgd", clip=None, rate=RATE, options=None, **rules):
    """An optimizer built on `trained`, with a rule for each of their names."""
    by_variable = {id(v): rules.get(v.name, VariableRule()) for v in trained}
    optimizer = build_optimizer(name, rate, rules=Rules(by_variable), clip=clip, options=options)
    optimizer.build(trained)
    return optimizer


def gradients():
    return [keras.ops.convert_to_tensor(GRADIENT[name], "float32") for name in "ab"]


def after(steps=1, **arguments):
    """The variables a and b after some updates with constant gradients."""
    trained = variables()
    optimizer = optimizer_for(trained, **arguments)
    for _ in range(steps):
        optimizer.apply(gradients(), trained)
    return [variable.numpy() for variable in trained]


def assert_close(values, expected, tolerance=1e-6):
    for value, wanted in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)


def test_without_rules_it_is_the_plain_optimizer():
    assert_close(after(), [START[name] - RATE * GRADIENT[name] for name in "ab"])


def test_the_multiplier_scales_the_rate():
    updated = after(a=VariableRule(multiplier=0.25))

    assert_close(
        updated, [START["a"] - 0.25 * RATE * GRADIENT["a"], START["b"] - RATE * GRADIENT["b"]]
    )


def test_the_multiplier_scales_adams_step_too():
    whole, quarter = after(name="adam"), after(name="adam", a=VariableRule(multiplier=0.25))

    np.testing.assert_allclose(quarter[0] - START["a"], 0.25 * (whole[0] - START["a"]), atol=1e-6)
    np.testing.assert_array_equal(quarter[1], whole[1])


def test_l2_adds_the_weight_to_the_gradient():
    updated = after(a=VariableRule(l2=0.5))

    assert_close(
        updated,
        [START["a"] - RATE * (GRADIENT["a"] + 0.5 * START["a"]), START["b"] - RATE * GRADIENT["b"]],
    )


def test_l2sp_adds_the_distance_from_the_start_to_the_gradient():
    w0 = w = START["a"]
    for _ in range(3):
        w = w - RATE * (GRADIENT["a"] + 0.5 * (w - w0))

    updated = after(steps=3, a=VariableRule(l2sp=0.5))

    assert_close(updated, [w, START["b"] - 3 * RATE * GRADIENT["b"]])


def test_weight_decay_is_scaled_by_rate_and_multiplier_and_passes_adam_by():
    plain = after(name="adam", a=VariableRule(multiplier=0.5))

    decayed = after(name="adam", a=VariableRule(multiplier=0.5, weight_decay=0.2))

    assert_close(decayed, [plain[0] - 0.2 * RATE * 0.5 * START["a"], plain[1]])


def test_weight_decay_follows_the_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.1, 0.01])
    zero = [keras.ops.zeros((2, 2)), keras.ops.zeros((1, 2))]
    trained = variables()
    optimizer = optimizer_for(trained, rate=schedule, a=VariableRule(weight_decay=1.0))

    for _ in range(2):
        optimizer.apply(zero, trained)

    assert_close([trained[0].numpy()], [START["a"] * 0.9 * 0.99])


def test_clip_by_global_norm_measures_all_gradients_as_one():
    length = np.sqrt(sum((gradient**2).sum() for gradient in GRADIENT.values()))

    updated = after(clip=Clip("global_norm", 0.5))

    assert_close(updated, [START[n] - RATE * GRADIENT[n] * 0.5 / length for n in "ab"])


def test_clip_by_norm_measures_each_gradient():
    def clipped(gradient):
        return gradient * min(1.0, 1.5 / np.sqrt((gradient**2).sum()))

    updated = after(clip=Clip("norm", 1.5))

    assert_close(updated, [START[name] - RATE * clipped(GRADIENT[name]) for name in "ab"])


def test_clipping_leaves_regularisation_alone():
    updated = after(clip=Clip("norm", 1e-9), a=VariableRule(l2=0.5))

    assert_close(updated, [START["a"] * (1 - RATE * 0.5), START["b"]])


def test_a_clip_skips_missing_gradients():
    trained = variables()
    optimizer = optimizer_for(trained, clip=Clip("global_norm", 0.1))

    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([None, gradients()[1]], trained)

    length = np.sqrt((GRADIENT["b"] ** 2).sum())
    assert_close(
        [v.numpy() for v in trained], [START["a"], START["b"] - RATE * GRADIENT["b"] * 0.1 / length]
    )


@pytest.mark.parametrize("name", names())
def test_every_optimizer_trains_a_part_of_its_variables_and_then_all(name):
    trained = variables()
    optimizer = optimizer_for(trained, name=name, a=VariableRule(multiplier=0.5, l2sp=0.1))

    optimizer.apply(gradients()[1:], trained[1:])
    halfway = [variable.numpy() for variable in trained]
    optimizer.apply(gradients(), trained)

    np.testing.assert_array_equal(halfway[0], START["a"])
    assert (halfway[1] != START["b"]).all()
    moving = GRADIENT["a"] != 0
    assert (trained[0].numpy() != START["a"])[moving].all()
    assert all(np.isfinite(variable.numpy()).all() for variable in trained)


@pytest.mark.parametrize("name", names())
def test_restored_variables_go_on_bit_for_bit(name):
    rules = {"a": VariableRule(l2sp=0.3, multiplier=0.5), "b": VariableRule(weight_decay=0.1)}
    options = {"use_ema": True, "ema_momentum": 0.5}
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    straight = variables()
    first = optimizer_for(straight, name=name, rate=schedule, options=options, **rules)
    for _ in range(2):
        first.apply(gradients(), straight)
    saved = [variable.numpy() for variable in (*straight, *first.variables)]

    resumed = variables()
    second = optimizer_for(resumed, name=name, rate=schedule, options=options, **rules)
    for variable, value in zip((*resumed, *second.variables), saved, strict=True):
        variable.assign(value)
    for trained, optimizer in ((straight, first), (resumed, second)):
        optimizer.apply(gradients(), trained)

    for one, other in zip(
        (*straight, *first.variables), (*resumed, *second.variables), strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_start_weights_are_those_at_build_time():
    trained = variables()
    trained[0].assign(START["a"] + 1)
    optimizer = optimizer_for(trained, a=VariableRule(l2sp=0.5))

    starts = [v.numpy() for v in optimizer.variables if v.path.endswith("start")]

    assert_close(starts, [START["a"] + 1])


def test_moving_averages_reach_every_variable_even_when_some_end_frozen():
    trained = variables()
    optimizer = optimizer_for(trained, options={"use_ema": True, "ema_momentum": 0.5})
    optimizer.apply(gradients(), trained)
    optimizer.apply(gradients(), trained)
    first, last = (
        [START[name] - steps * RATE * GRADIENT[name] for name in "ab"] for steps in (1, 2)
    )

    optimizer.finalize_variable_values(trained[1:])

    assert_close(
        [variable.numpy() for variable in trained],
        [0.5 * one + 0.5 * two for one, two in zip(first, last, strict=True)],
    )


def test_a_loss_scale_is_taken_out_before_clipping_and_regularising():
    arguments = {"clip": Clip("global_norm", 0.5), "a": VariableRule(l2=0.5, weight_decay=0.1)}
    plain = after(**arguments)
    trained = variables()
    inner = optimizer_for(trained, **arguments)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)

    scaled.apply([gradient * 1024.0 for gradient in gradients()], trained)

    assert_close([variable.numpy() for variable in trained], plain)
