"""The default strategy: probe, then gentle fine-tuning, in a budget that fits the data."""

import keras
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies import AutoFinetuneStrategy
from hubcls.strategies.rules import Clip, VariableRule
from hubcls.strategies.schedules import WarmupCosine


def rule_of(plan, request, path):
    return next(
        plan.optimizer._rules.of(variable)
        for layer in request.layers
        for variable in layer.variables
        if variable.path == path
    )


def test_it_starts_from_a_probe_where_weights_are_pretrained(request_for):
    assert AutoFinetuneStrategy().plan(request_for()).starts_from_probe
    assert not AutoFinetuneStrategy().plan(request_for(is_pretrained=False)).starts_from_probe


def test_rates_fall_group_by_group_from_the_head_down(request_for):
    request = request_for()
    plan = AutoFinetuneStrategy(layer_decay=0.5).plan(request)

    multipliers = [
        rule_of(plan, request, path).multiplier
        for path in ("stem_dense1/bias", "stage1_dense1/kernel", "logits/kernel")
    ]

    assert multipliers == [0.25, 0.5, 1.0]


def test_untrained_layers_all_learn_at_the_full_rate(request_for):
    request = request_for(is_pretrained=False)
    plan = AutoFinetuneStrategy(weight_decay=0.0).plan(request)

    assert rule_of(plan, request, "stem_dense1/kernel") == VariableRule()


def test_weights_are_averaged_where_they_are_pretrained(request_for):
    averaged = AutoFinetuneStrategy().plan(request_for()).optimizer
    without = AutoFinetuneStrategy(ema=None).plan(request_for()).optimizer
    from_scratch = AutoFinetuneStrategy().plan(request_for(is_pretrained=False)).optimizer

    assert averaged.use_ema
    assert not without.use_ema
    assert not from_scratch.use_ema


@pytest.mark.parametrize(("steps", "momentum"), [(160, 0.9), (100, 0.9), (50, 0.8), (9, 0.0)])
def test_the_average_spans_a_tenth_of_the_run_at_most(request_for, steps, momentum):
    request = request_for(num_epoch=1, steps_per_epoch=steps)
    optimizer = AutoFinetuneStrategy().plan(request).optimizer

    assert optimizer.use_ema
    assert optimizer.ema_momentum == momentum


@pytest.mark.parametrize("option", [{"use_ema": False}, {"ema_momentum": 0.5}])
def test_the_average_has_one_name(option):
    with pytest.raises(ConfigError, match="ema here"):
        AutoFinetuneStrategy(**option)


def test_decay_spares_biases(request_for):
    request = request_for()
    plan = AutoFinetuneStrategy().plan(request)

    assert rule_of(plan, request, "logits/kernel") == VariableRule(weight_decay=0.01)
    assert rule_of(plan, request, "logits/bias") == VariableRule()


def test_the_rate_warms_up_and_falls_as_a_cosine(request_for):
    optimizer = AutoFinetuneStrategy(learning_rate=0.01).plan(request_for()).optimizer

    expected = WarmupCosine(0.01, 30, warmup=0.1)
    assert optimizer._learning_rate.get_config() == expected.get_config()
    assert optimizer._clip == Clip("global_norm", 1.0)


def test_all_layers_but_batch_norm_train_from_the_start(request_for):
    opened = AutoFinetuneStrategy().plan(request_for()).open_layers(0)

    assert len(opened) == 5
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in opened)


@pytest.mark.parametrize(
    ("num_examples", "batch_size", "expected"),
    [
        (100, 32, 20),  # 4 steps an epoch: the most
        (1437, 32, 4),  # 45 steps an epoch: 180 in all
        (2000, 32, 3),  # 63
        (5120, 32, 1),  # 160
        (100_000, 32, 1),  # the least
        (10, 64, 20),
    ],
)
def test_the_budget_is_about_160_steps(num_examples, batch_size, expected):
    assert AutoFinetuneStrategy().num_epoch(num_examples, batch_size) == expected


def test_a_plan_for_the_probe_alone_can_be_made(request_for):
    assert AutoFinetuneStrategy().plan(request_for(num_epoch=0)).starts_from_probe


def test_the_description_rebuilds_the_strategy():
    description = AutoFinetuneStrategy(1e-3, layer_decay=0.9, beta_2=0.9).describe()

    name = description.pop("name")

    assert name == "AutoFinetuneStrategy"
    assert AutoFinetuneStrategy(**description).describe() == {"name": name, **description}


def test_wrong_values_are_reported_together():
    with pytest.raises(ConfigError) as error:
        AutoFinetuneStrategy(0, layer_decay=2, weight_decay=-1, warmup=1, steps=0, ema=1)

    for part in ("learning_rate", "layer_decay", "weight_decay", "warmup", "steps", "ema"):
        assert part in str(error.value)


def test_an_unknown_option_of_adam_is_refused_at_once():
    with pytest.raises(ConfigError, match="beta_1"):
        AutoFinetuneStrategy(beta1=0.5)
