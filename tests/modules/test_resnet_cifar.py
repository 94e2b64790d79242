"""The small residual networks are the paper's, and say that they bring no weights."""

import math

import pytest

import hubcls
from hubcls.errors import WeightsError

# He et al. 2015, arXiv:1512.03385, table 6: layers and millions of parameters, classifier
# for CIFAR-10 included.
TABLE_6 = [(20, "0.27"), (32, "0.46"), (44, "0.66"), (56, "0.85"), (110, "1.7")]


@pytest.mark.parametrize(("depth", "millions"), TABLE_6)
def test_layers_and_parameters_are_those_of_the_paper(depth, millions):
    module = hubcls.Module(name=f"resnet{depth}_cifar", weights=None)
    classifier = (module.num_features + 1) * 10

    trained = sum(math.prod(one.shape) for one in module.backbone.trainable_weights)

    assert 2 * sum(module.spec.parameters["depths"]) + 2 == depth
    assert f"{(trained + classifier) / 1e6:.2g}" == millions


def test_there_are_no_weights_and_the_message_says_what_to_do():
    module = hubcls.Module(name="resnet20_cifar")

    with pytest.raises(WeightsError, match="weights=None to start from random ones"):
        _ = module.backbone


def test_pictures_of_28_pixels_keep_their_size_up_to_the_second_stage():
    module = hubcls.Module(name="resnet20_cifar", weights=None, input_size=28)

    assert module.backbone.output_shape == (None, 7, 7, 64)
    assert [group.name for group in module.layer_groups] == [
        "stem",
        "stage_1",
        "stage_2",
        "stage_3",
    ]
