"""Which variables are regularised, and how."""

import keras
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies.rules import (
    Clip,
    Regularization,
    VariableRule,
    is_bias_or_norm,
    variable_rules,
)


def rules_by_path(network, request, regularization, multipliers=None):
    rules = variable_rules(request, regularization=regularization, multipliers=multipliers)
    return {variable.path: rules.of(variable) for variable in network.trainable_variables}


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        built(keras.layers.BatchNormalization(), 4, 4, 3),
        built(keras.layers.LayerNormalization(axis=(1, 2)), 4, 4),
        built(keras.layers.GroupNormalization(groups=3), 4, 4, 3),
        built(keras.layers.RMSNormalization(), 4),
    ],
)
def test_everything_of_a_normalisation_layer_is_spared(layer):
    assert layer.variables
    assert all(is_bias_or_norm(layer, variable) for variable in layer.variables)


@pytest.mark.parametrize(
    "layer",
    [
        built(keras.layers.Dense(3), 4),
        built(keras.layers.Conv2D(3, 2), 4, 4, 3),
        built(keras.layers.DepthwiseConv2D(2), 4, 4, 3),
        built(keras.layers.EinsumDense("ab,bcd->acd", (2, 3), bias_axes="cd"), 4),
    ],
)
def test_of_a_weight_layer_only_the_bias_is_spared(layer):
    kernel, bias = layer.variables

    assert not is_bias_or_norm(layer, kernel)
    assert is_bias_or_norm(layer, bias)


def test_l2_reaches_kernels_of_body_and_head_and_nothing_else(network, request_for):
    rules = rules_by_path(network, request_for(), Regularization(l2=0.5))

    regularised = {path for path, rule in rules.items() if rule.l2}
    assert regularised == {path for path in rules if path.endswith("kernel")}
    assert rules["logits/kernel"] == VariableRule(l2=0.5)
    assert rules["stem_dense1/bias"] == rules["stem_norm/gamma"] == VariableRule()


def test_weight_decay_reaches_kernels_of_body_and_head_and_nothing_else(network, request_for):
    rules = rules_by_path(network, request_for(), Regularization(weight_decay=0.5))

    decayed = {path for path, rule in rules.items() if rule.weight_decay}
    assert decayed == {path for path in rules if path.endswith("kernel")}


def test_l2sp_reaches_pretrained_kernels_only(network, request_for):
    rules = rules_by_path(network, request_for(), Regularization(l2sp=0.5))

    assert rules["stem_dense1/kernel"] == VariableRule(l2sp=0.5)
    assert rules["logits/kernel"] == VariableRule()
    assert rules["stage1_dense2/bias"] == rules["stage1_norm/beta"] == VariableRule()


def test_l2_beside_l2sp_regards_the_head_only(network, request_for):
    rules = rules_by_path(network, request_for(), Regularization(l2=0.1, l2sp=0.5))

    assert rules["stem_dense1/kernel"] == VariableRule(l2sp=0.5)
    assert rules["logits/kernel"] == VariableRule(l2=0.1)


def test_multipliers_reach_biases_too(network, request_for):
    layer = network.get_layer("stem_dense1")

    rules = rules_by_path(network, request_for(), Regularization(), {id(layer): 0.25})

    assert rules["stem_dense1/bias"].multiplier == 0.25
    assert rules["stage1_dense1/bias"].multiplier == 1.0


def test_l2sp_without_pretrained_weights_is_refused(request_for):
    with pytest.raises(ConfigError, match="this module has none"):
        variable_rules(request_for(is_pretrained=False), regularization=Regularization(l2sp=0.1))


def test_a_variable_outside_the_groups_is_refused(request_for):
    rules = variable_rules(request_for(), regularization=Regularization())

    with pytest.raises(ConfigError, match="no rule for the variable"):
        rules.of(keras.Variable(1.0, name="stranger"))


@pytest.mark.parametrize(("kind", "value"), [("norm", 0.0), ("value", 1.0)])
def test_clipping_that_leaves_nothing_is_refused(kind, value):
    with pytest.raises(ConfigError, match="global_norm"):
        Clip(kind, value)
