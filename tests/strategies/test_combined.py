"""CombinedStrategy: its options become schedules, rules, clips and freezing."""

import doctest

import keras
import pytest

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.strategies import CombinedStrategy, combined
from hubcls.strategies.rules import Clip, VariableRule
from hubcls.strategies.schedules import NoamDecay, SlantedTriangle, WarmupLinearDecay


def optimizer_of(strategy, request):
    return strategy.plan(request).optimizer


def rule_of(strategy, request, path):
    for layer in request.layers:
        for variable in layer.variables:
            if variable.path == path:
                return optimizer_of(strategy, request)._rules.of(variable)
    raise AssertionError(path)


def test_the_example_runs():
    assert doctest.testmod(combined).failed == 0


def test_the_bare_strategy_is_adam_at_a_constant_rate_for_all_layers(request_for):
    request = request_for()

    plan = CombinedStrategy().plan(request)

    assert isinstance(plan.optimizer, keras.optimizers.Adam)
    assert float(plan.optimizer.learning_rate) == pytest.approx(1e-4)
    assert plan.optimizer._clip is None
    assert not plan.starts_from_probe
    assert rule_of(CombinedStrategy(), request, "logits/kernel") == VariableRule()
    assert len(plan.open_layers(0)) == 5


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (
            {"slanted_triangle": {"cut_fraction": 0.1}},
            SlantedTriangle(0.01, 30, cut_fraction=0.1, ratio=32),
        ),
        ({"warmup": 0.2, "noam_decay": True}, NoamDecay(0.01, 6)),
        ({"warmup": 0.2}, WarmupLinearDecay(0.01, 30, warmup=0.2, start_point=1.0)),
        (
            {"warmup": 0.2, "linear_decay": {"start_point": 0.5, "end_learning_rate": 1e-5}},
            WarmupLinearDecay(0.01, 30, warmup=0.2, start_point=0.5, end_learning_rate=1e-5),
        ),
        (
            {"linear_decay": {"start_point": 0}},
            WarmupLinearDecay(0.01, 30, warmup=0.0, start_point=0.0),
        ),
    ],
)
def test_each_schedule(request_for, scheduler, expected):
    schedule = optimizer_of(
        CombinedStrategy(learning_rate=0.01, scheduler=scheduler), request_for()
    )._learning_rate

    assert type(schedule) is type(expected)
    assert schedule.get_config() == expected.get_config()


@pytest.mark.parametrize(
    ("regularization", "body", "head"),
    [
        ({"L2": 0.1}, VariableRule(l2=0.1), VariableRule(l2=0.1)),
        ({"L2SP": 0.1}, VariableRule(l2sp=0.1), VariableRule()),
        ({"weight_decay": 0.1}, VariableRule(weight_decay=0.1), VariableRule(weight_decay=0.1)),
        ({"L2": 0.1, "L2SP": 0.2}, VariableRule(l2sp=0.2), VariableRule(l2=0.1)),
    ],
)
def test_each_regularization(request_for, regularization, body, head):
    strategy, request = CombinedStrategy(regularization=regularization), request_for()

    assert rule_of(strategy, request, "stem_dense1/kernel") == body
    assert rule_of(strategy, request, "logits/kernel") == head
    assert rule_of(strategy, request, "logits/bias") == VariableRule()


@pytest.mark.parametrize(
    ("clip", "expected"),
    [
        ({"GlobalNorm": 2.0}, Clip("global_norm", 2.0)),
        ({"Norm": 3}, Clip("norm", 3)),
        ({"Norm": 0}, None),
    ],
)
def test_each_clip(request_for, clip, expected):
    assert optimizer_of(CombinedStrategy(clip=clip), request_for())._clip == expected


def test_discriminative_rates(request_for):
    strategy = CombinedStrategy(scheduler={"discriminative": {"blocks": 3, "factor": 2.0}})

    multipliers = [
        rule_of(strategy, request_for(), path).multiplier
        for path in (
            "stem_dense1/kernel",
            "stem_dense2/bias",
            "stage1_dense2/kernel",
            "logits/bias",
        )
    ]

    assert multipliers == [0.25, 0.5, 1.0, 1.0]


def test_discriminative_rates_by_name(request_for):
    strategy = CombinedStrategy(
        scheduler={"discriminative": {"params_layer": {"stem": 0, "stage1": 1}, "factor": 2.0}}
    )

    assert rule_of(strategy, request_for(), "stem_dense2/kernel").multiplier == 0.5


def test_gradual_unfreezing(request_for):
    plan = CombinedStrategy(scheduler={"gradual_unfreeze": {"blocks": 2}}).plan(request_for())

    assert [layer.name for layer in plan.open_layers(0)] == [
        "stage1_dense1",
        "stage1_dense2",
        "logits",
    ]
    assert len(plan.open_layers(1)) == 5


def test_adamw_decays_by_its_own_amount_unless_told(request_for):
    default = CombinedStrategy("adamw")
    told = CombinedStrategy("adamw", regularization={"weight_decay": 0.3})

    assert rule_of(default, request_for(), "logits/kernel").weight_decay == 0.01
    assert rule_of(told, request_for(), "logits/kernel").weight_decay == 0.3


def test_optimizer_options_are_passed_on(request_for):
    optimizer = optimizer_of(CombinedStrategy("adam", beta_1=0.8, use_ema=True), request_for())

    assert optimizer.beta_1 == 0.8
    assert optimizer.use_ema


def test_additions_change_one_option_each(request_for):
    strategy = CombinedStrategy()

    strategy.add_scheduler("warmup", 0.1)
    strategy.add_scheduler("discriminative", blocks=2, factor=3.0)
    strategy.add_scheduler("discriminative", blocks=3)
    strategy.add_regularization("L2SP", 0.01)
    strategy.add_clip()

    assert strategy.scheduler["warmup"] == 0.1
    assert strategy.scheduler["discriminative"] == {
        "blocks": 3,
        "params_layer": None,
        "factor": 3.0,
    }
    assert strategy.regularization["L2SP"] == 0.01
    assert optimizer_of(strategy, request_for())._clip == Clip("global_norm", 1.0)


def test_params_layer_can_be_replaced():
    strategy = CombinedStrategy()

    strategy.add_scheduler("gradual_unfreeze", params_layer={"stem": 0})
    strategy.add_scheduler("gradual_unfreeze", params_layer={"stem": 1})

    assert strategy.scheduler["gradual_unfreeze"]["params_layer"] == {"stem": 1}


def test_strategies_do_not_share_their_options():
    CombinedStrategy().add_scheduler("discriminative", blocks=3)

    assert CombinedStrategy().scheduler["discriminative"]["blocks"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": {"warm_up": 0.1}}, "no scheduler is called 'warm_up'(.|\n)*warmup"),
        (
            {"scheduler": {"linear_decay": {"start": 0.1}}},
            "option of linear_decay(.|\n)*start_point",
        ),
        ({"regularization": {"l2": 0.1}}, "no regularization(.|\n)*L2"),
        ({"clip": {"globalnorm": 0.1}}, "no clip(.|\n)*GlobalNorm"),
        ({"optimizer_name": "adan"}, "no optimizer is called 'adan'"),
    ],
)
def test_unknown_names_list_the_right_ones(arguments, message):
    with pytest.raises(UnknownNameError, match=message):
        CombinedStrategy(**arguments)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ({"linear_decay": 0.5}, "linear_decay must be a mapping with the keys start_point"),
        ({"noam_decay": 1}, "noam_decay must be True or False"),
        ({"warmup": "0.1"}, "warmup must be a number"),
        ({"discriminative": {"blocks": 2.5}}, "blocks must be a whole number"),
        ({"discriminative": {"params_layer": [1]}}, "params_layer must be a mapping"),
        ({"warmup": 1.5}, r"warmup must be in \[0, 1\), not 1.5"),
        ({"slanted_triangle": {"ratio": 0}}, "ratio must be 1 or more"),
        ({"gradual_unfreeze": {"blocks": -1}}, "gradual_unfreeze blocks must be 0 or more"),
    ],
)
def test_wrong_values_say_what_would_be_right(scheduler, message):
    with pytest.raises(ConfigError, match=message):
        CombinedStrategy(scheduler=scheduler)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"scheduler": {"slanted_triangle": {"cut_fraction": 0.1}, "warmup": 0.1}},
            "slanted_triangle is a whole schedule",
        ),
        (
            {
                "scheduler": {
                    "warmup": 0.1,
                    "noam_decay": True,
                    "linear_decay": {"start_point": 0.1},
                }
            },
            "choose one",
        ),
        ({"scheduler": {"noam_decay": True}}, "give warmup a value"),
        (
            {"scheduler": {"discriminative": {"blocks": 2, "params_layer": {"stem": 0}}}},
            "discriminative takes blocks or params_layer, not both",
        ),
        ({"clip": {"GlobalNorm": 1.0, "Norm": 1.0}}, "GlobalNorm or Norm, not both"),
        ({"clip": {"Norm": -1.0}}, "clip Norm must be 0 or more"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"batch_norm": "open"}, "one of auto, frozen, train"),
    ],
)
def test_contradictions_are_errors(arguments, message):
    with pytest.raises(ConfigError, match=message):
        CombinedStrategy(**arguments)


def test_all_that_is_wrong_comes_in_one_message():
    with pytest.raises(ConfigError) as error:
        CombinedStrategy(scheduler={"warmup": 2, "noam_decay": True}, regularization={"L2": -1})

    for part in ("warmup must be", "L2 must be"):
        assert part in str(error.value)


def test_a_refused_addition_changes_nothing():
    strategy = CombinedStrategy(clip={"GlobalNorm": 1.0})
    before = strategy.describe()

    with pytest.raises(ConfigError):
        strategy.add_clip("Norm", 1.0)

    assert strategy.describe() == before


def test_the_description_builds_an_equal_strategy():
    strategy = CombinedStrategy("lion", 0.01, {"warmup": 0.1}, {"L2": 0.1}, beta_1=0.8)
    strategy.add_clip("Norm", 2.0)
    description = strategy.describe()

    name = description.pop("name")
    copy = CombinedStrategy(**description)

    assert name == "CombinedStrategy"
    assert copy.describe() == strategy.describe()
    assert copy.clip["Norm"] == 2.0
