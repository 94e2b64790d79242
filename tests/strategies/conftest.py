"""A network small enough to work out by hand, cut into groups like a real one."""

import keras
import numpy as np
import pytest

from hubcls.strategies import PlanRequest, TrainableGroup

FEATURES = 4


@pytest.fixture
def network():
    """Six layers with weights below the head, two of them BatchNorm; a bias in each Dense."""
    return build_network()


@pytest.fixture
def request_for(network):
    """A function from changes to a `PlanRequest` about the network."""

    def build(**changes):
        values = {
            "groups": groups_of(network),
            "steps_per_epoch": 10,
            "num_epoch": 3,
            "num_examples": 100,
            "is_pretrained": True,
        }
        return PlanRequest(**{**values, **changes})

    return build


def build_network():
    values = keras.Input((FEATURES,))
    outputs = values
    for stage in ("stem", "stage1"):
        outputs = keras.layers.Dense(FEATURES, name=f"{stage}_dense1")(outputs)
        outputs = keras.layers.BatchNormalization(name=f"{stage}_norm")(outputs)
        outputs = keras.layers.Dense(FEATURES, name=f"{stage}_dense2")(outputs)
    model = keras.Model(values, keras.layers.Dense(2, name="logits")(outputs))
    random = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


def groups_of(model):
    return (
        *(
            TrainableGroup(
                stage,
                tuple(model.get_layer(f"{stage}_{part}") for part in ("dense1", "norm", "dense2")),
            )
            for stage in ("stem", "stage1")
        ),
        TrainableGroup("head", (model.get_layer("logits"),), is_head=True),
    )
