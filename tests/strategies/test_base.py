"""The base class, requests and plans."""

import doctest
import json

import keras
import numpy as np
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies import FinetuneStrategy, Plan, PlanRequest, base


class HeadFirst(FinetuneStrategy):
    """Trains the head alone for one epoch, then all layers but BatchNorm."""

    def __init__(self, learning_rate=0.1, stages=(1, 2), **more):
        self.learning_rate = learning_rate
        self.stages = stages
        self.more = more

    def plan(self, request):
        def open_layers(epoch):
            return request.head.layers if epoch == 0 else request.layers

        return Plan(keras.optimizers.SGD(self.learning_rate), open_layers)


def test_the_example_of_the_base_class_runs():
    results = doctest.testmod(base)

    assert results.attempted > 0
    assert results.failed == 0


def test_the_base_class_cannot_be_used_itself():
    with pytest.raises(TypeError, match="plan"):
        FinetuneStrategy()


def test_a_strategy_of_ones_own_trains_one_epoch_unless_it_says_otherwise():
    assert HeadFirst().num_epoch(num_examples=1000, batch_size=10) == 1


def test_a_strategy_describes_its_arguments_as_plain_types():
    assert HeadFirst(0.2, beta=1).describe() == {
        "name": "HeadFirst",
        "learning_rate": 0.2,
        "stages": [1, 2],
        "beta": 1,
    }


def test_numpy_numbers_are_described_as_pythons():
    strategy = HeadFirst(np.float64(0.2), stages=(np.int64(1),), beta=np.bool_(True))

    description = strategy.describe()

    assert json.dumps(description) == (
        '{"name": "HeadFirst", "learning_rate": 0.2, "stages": [1], "beta": true}'
    )


def test_arguments_of_no_json_type_are_named():
    strategy = HeadFirst(0.2, stages={"first": {1, 2}}, beta=np.zeros(2), gamma=1.5)

    with pytest.raises(ConfigError) as error:
        strategy.describe()

    message = str(error.value)
    assert "stages={'first': {1, 2}} holds a set" in message
    assert "beta=array([0., 0.]) holds a ndarray" in message
    assert "gamma" not in message


def test_a_strategy_prints_as_the_call_that_made_it():
    assert str(HeadFirst(0.2)) == "HeadFirst(learning_rate=0.2, stages=[1, 2])"


def test_set_trainable_opens_and_closes_layers(network, request_for):
    request = request_for()
    plan = HeadFirst().plan(request)

    plan.set_trainable(request.groups, 0)
    head_only = [variable.path for variable in network.trainable_variables]
    plan.set_trainable(request.groups, 1)

    assert head_only == ["logits/kernel", "logits/bias"]
    assert len(network.trainable_variables) == 14


def test_set_trainable_says_whether_anything_changed(request_for):
    request = request_for()
    plan = HeadFirst().plan(request)

    changes = [plan.set_trainable(request.groups, epoch) for epoch in (0, 0, 1, 2, 0)]

    assert changes == [True, False, True, False, True]


def test_layers_frozen_inside_stay_shut_when_the_layer_around_them_opens():
    inner = keras.layers.BatchNormalization()
    outer = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), inner])
    head = keras.layers.Dense(2)
    head.build((None, 4))
    groups = (
        base.TrainableGroup("stem", (outer,)),
        base.TrainableGroup("head", (head,), is_head=True),
    )
    plan = Plan(keras.optimizers.SGD(), lambda epoch: (outer, head), frozen_inside=(inner,))

    plan.set_trainable(groups, 0)

    assert not inner.trainable
    assert [variable.name for variable in outer.trainable_variables] == ["kernel", "bias"]


def test_ever_open_variables_are_those_of_all_epochs_in_graph_order(network, request_for):
    request = request_for()
    everything = [variable.path for variable in network.trainable_variables]
    plan = HeadFirst().plan(request)

    one = plan.ever_open_variables(request.groups, num_epoch=1)
    two = plan.ever_open_variables(request.groups, num_epoch=2)

    assert [variable.path for variable in one] == ["logits/kernel", "logits/bias"]
    assert [variable.path for variable in two] == everything
    assert not network.get_layer("stem_dense1").trainable


def test_a_request_without_epochs_still_has_a_step_to_plan_for(request_for):
    assert request_for(num_epoch=0).total_steps == 1
    assert request_for(num_epoch=3).total_steps == 30


def test_a_request_that_nobody_can_plan_for_is_refused(request_for):
    groups = request_for().groups

    with pytest.raises(ConfigError) as error:
        PlanRequest(groups[:2], steps_per_epoch=0, num_epoch=-1, num_examples=0)

    for part in ("steps_per_epoch", "num_epoch", "must be the head"):
        assert part in str(error.value)
