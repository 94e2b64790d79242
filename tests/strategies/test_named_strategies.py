"""PaddleHub's named strategies: its defaults, its meaning, none of its bugs."""

import inspect

import keras
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies import (
    AdamWeightDecayStrategy,
    CombinedStrategy,
    DefaultFinetuneStrategy,
    DefaultStrategy,
    L2SPFinetuneStrategy,
    ULMFiTStrategy,
)
from hubcls.strategies.rules import Clip, VariableRule
from hubcls.strategies.schedules import NoamDecay, SlantedTriangle, WarmupLinearDecay

PADDLEHUB_DEFAULTS = {
    DefaultStrategy: {"learning_rate": 1e-4, "optimizer_name": "adam"},
    CombinedStrategy: {
        "optimizer_name": "adam",
        "learning_rate": 1e-4,
        "scheduler": None,
        "regularization": None,
        "clip": None,
    },
    AdamWeightDecayStrategy: {
        "learning_rate": 1e-4,
        "lr_scheduler": "linear_decay",
        "warmup_proportion": 0.1,
        "weight_decay": 0.01,
        "optimizer_name": "adam",
    },
    DefaultFinetuneStrategy: {
        "learning_rate": 1e-4,
        "optimizer_name": "adam",
        "regularization_coeff": 1e-3,
    },
    L2SPFinetuneStrategy: {
        "learning_rate": 1e-4,
        "optimizer_name": "adam",
        "regularization_coeff": 1e-3,
    },
    ULMFiTStrategy: {
        "learning_rate": 1e-4,
        "optimizer_name": "adam",
        "cut_fraction": 0.1,
        "ratio": 32,
        "dis_blocks": 3,
        "factor": 2.6,
        "dis_params_layer": None,
        "frz_blocks": 3,
        "frz_params_layer": None,
    },
}


def rule_of(strategy, request, path):
    rules = strategy.plan(request).optimizer._rules
    return next(
        rules.of(variable)
        for layer in request.layers
        for variable in layer.variables
        if variable.path == path
    )


@pytest.mark.parametrize("strategy", PADDLEHUB_DEFAULTS)
def test_the_signature_is_paddlehubs_in_order_and_defaults(strategy):
    parameters = inspect.signature(strategy).parameters.values()

    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}

    assert list(positional.items()) == list(PADDLEHUB_DEFAULTS[strategy].items())


@pytest.mark.parametrize("strategy", PADDLEHUB_DEFAULTS)
def test_batch_norm_is_frozen_by_default(strategy, request_for):
    plan = strategy().plan(request_for())

    opened = [layer for epoch in range(3) for layer in plan.open_layers(epoch)]

    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in opened)


@pytest.mark.parametrize("strategy", PADDLEHUB_DEFAULTS)
def test_the_description_rebuilds_the_strategy(strategy):
    description = strategy(learning_rate=0.5, batch_norm="train", use_ema=True).describe()

    copy = strategy(**{key: value for key, value in description.items() if key != "name"})

    assert description["name"] == strategy.__name__
    assert copy.describe() == description


@pytest.mark.parametrize("strategy", PADDLEHUB_DEFAULTS)
def test_one_epoch_is_the_default(strategy):
    assert strategy().num_epoch(num_examples=100, batch_size=10) == 1


def test_default_strategy_regularises_nothing(request_for):
    assert rule_of(DefaultStrategy(), request_for(), "logits/kernel") == VariableRule()
    assert rule_of(DefaultStrategy(), request_for(), "stem_dense1/kernel") == VariableRule()


def test_default_strategy_takes_another_optimizer_and_its_options(request_for):
    optimizer = DefaultStrategy(0.1, "momentum", momentum=0.8).plan(request_for()).optimizer

    assert isinstance(optimizer, keras.optimizers.SGD)
    assert optimizer.momentum == 0.8


def test_default_finetune_strategy_puts_l2_on_all_weights(request_for):
    strategy, request = DefaultFinetuneStrategy(), request_for()

    assert rule_of(strategy, request, "stem_dense1/kernel") == VariableRule(l2=1e-3)
    assert rule_of(strategy, request, "logits/kernel") == VariableRule(l2=1e-3)
    assert rule_of(strategy, request, "stem_dense1/bias") == VariableRule()
    assert rule_of(strategy, request, "stem_norm/gamma") == VariableRule()


def test_l2sp_strategy_holds_pretrained_weights_and_leaves_the_head(request_for):
    strategy, request = L2SPFinetuneStrategy(), request_for()

    assert rule_of(strategy, request, "stem_dense1/kernel") == VariableRule(l2sp=1e-3)
    assert rule_of(strategy, request, "logits/kernel") == VariableRule()


def test_adam_weight_decay_is_warm_up_linear_decay_decoupled_decay_and_clip(request_for):
    strategy, request = AdamWeightDecayStrategy(learning_rate=0.01), request_for()

    optimizer = strategy.plan(request).optimizer

    expected = WarmupLinearDecay(0.01, 30, warmup=0.1, start_point=0.1)
    assert optimizer._learning_rate.get_config() == expected.get_config()
    assert optimizer._clip == Clip("global_norm", 1.0)
    assert rule_of(strategy, request, "logits/kernel") == VariableRule(weight_decay=0.01)
    assert rule_of(strategy, request, "logits/bias") == VariableRule()


def test_adam_weight_decay_with_noam(request_for):
    strategy = AdamWeightDecayStrategy(lr_scheduler="noam_decay", warmup_proportion=0.2)

    schedule = strategy.plan(request_for()).optimizer._learning_rate

    assert isinstance(schedule, NoamDecay)
    assert schedule.warmup_steps == 6


def test_adam_weight_decay_without_warm_up_falls_from_the_first_step(request_for):
    strategy = AdamWeightDecayStrategy(learning_rate=0.01, warmup_proportion=0.0)

    schedule = strategy.plan(request_for()).optimizer._learning_rate

    assert float(schedule(0)) == pytest.approx(0.01)
    assert float(schedule(15)) == pytest.approx(0.005)


def test_adam_weight_decay_refuses_another_schedule():
    with pytest.raises(ConfigError, match="linear_decay or noam_decay, not 'cosine'"):
        AdamWeightDecayStrategy(lr_scheduler="cosine")


def test_ulmfit_is_triangle_rates_by_depth_and_unfreezing(request_for):
    strategy, request = ULMFiTStrategy(learning_rate=0.01), request_for()

    plan = strategy.plan(request)

    expected = SlantedTriangle(0.01, 30, cut_fraction=0.1, ratio=32)
    assert plan.optimizer._learning_rate.get_config() == expected.get_config()
    assert rule_of(strategy, request, "stem_dense1/kernel").multiplier == pytest.approx(2.6**-2)
    assert [len(plan.open_layers(epoch)) for epoch in range(4)] == [2, 4, 5, 5]


def test_ulmfit_without_a_cut_keeps_the_rate(request_for):
    optimizer = ULMFiTStrategy(learning_rate=0.01, cut_fraction=0).plan(request_for()).optimizer

    assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_ulmfit_with_a_cut_below_one_step_stays_finite(request_for):
    strategy = ULMFiTStrategy(learning_rate=0.01, cut_fraction=0.01)

    schedule = strategy.plan(request_for()).optimizer._learning_rate

    assert float(schedule(0)) == pytest.approx(0.01)


def test_ulmfit_blocks_by_name_replace_blocks_by_depth(request_for):
    strategy = ULMFiTStrategy(
        dis_params_layer={"stem": 0, "stage1": 1}, frz_params_layer={"stem": 0, "stage1": 1}
    )

    plan = strategy.plan(request_for())

    assert rule_of(strategy, request_for(), "stem_dense2/kernel").multiplier == 1 / 2.6
    assert [layer.name for layer in plan.open_layers(0)] == [
        "stage1_dense1",
        "stage1_dense2",
        "logits",
    ]


def test_a_plan_for_a_head_alone_can_be_made(request_for):
    request = request_for(groups=request_for().groups[-1:])

    for strategy in PADDLEHUB_DEFAULTS:
        plan = strategy().plan(request)

        assert [layer.name for layer in plan.open_layers(0)] == ["logits"]


def test_a_plan_for_no_epochs_can_be_made(request_for):
    for strategy in PADDLEHUB_DEFAULTS:
        strategy().plan(request_for(num_epoch=0))
