"""Which layers train when, and at what share of the rate."""

import keras
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies import PlanRequest, TrainableGroup
from hubcls.strategies.freezing import (
    blocks_by_depth,
    blocks_by_name,
    frozen_inside,
    opened_layers,
    rate_multipliers,
)

BODY = ["stem_dense1", "stem_norm", "stem_dense2", "stage1_dense1", "stage1_norm", "stage1_dense2"]


def numbers(network, mapping):
    return [mapping.get(id(network.get_layer(name))) for name in BODY]


def names(layers):
    return [layer.name for layer in layers]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (1, [0, 0, 0, 0, 0, 0]),
        (2, [0, 0, 0, 1, 1, 1]),
        (3, [0, 0, 1, 1, 2, 2]),
        (4, [0, 0, 1, 2, 2, 3]),
        (6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_blocks_are_runs_of_layer_i_times_blocks_over_n(network, request_for, blocks, expected):
    assert numbers(network, blocks_by_depth(request_for(), blocks)) == expected


def test_layers_without_weights_do_not_count():
    image = keras.Input((4,))
    layers = [keras.layers.Dense(4), keras.layers.ReLU(), keras.layers.Dense(4)]
    head = keras.layers.Dense(2)
    keras.Model(image, head(layers[2](layers[1](layers[0](image)))))
    groups = (TrainableGroup("stem", tuple(layers)), TrainableGroup("head", (head,), is_head=True))

    blocks = blocks_by_depth(PlanRequest(groups, 1, 1, 1), 2)

    assert [blocks.get(id(layer)) for layer in layers] == [0, None, 1]


@pytest.mark.parametrize("blocks", [0, 7])
def test_more_blocks_than_layers_are_refused(request_for, blocks):
    with pytest.raises(ConfigError, match="between 1 and the 6 layers"):
        blocks_by_depth(request_for(), blocks)


def test_the_message_about_too_many_blocks_names_the_arguments(request_for):
    with pytest.raises(ConfigError, match="dis_blocks=0, frz_blocks=0"):
        blocks_by_depth(request_for(), 7)


def test_a_head_alone_has_no_blocks(request_for):
    blocks = blocks_by_depth(request_for(groups=request_for().groups[-1:]), 3)

    assert blocks == {}
    assert rate_multipliers(blocks, 2.6) == {}


def test_blocks_by_name_take_layers_before_groups(network, request_for):
    blocks = blocks_by_name(request_for(), {"stem": 0, "stage1": 2, "stage1_dense1": 1})

    assert numbers(network, blocks) == [0, 0, 0, 1, 2, 2]


def test_blocks_by_name_report_all_that_is_wrong(request_for):
    with pytest.raises(ConfigError) as error:
        blocks_by_name(request_for(), {"stem": -1, "stage2": 0, "logits": 3})

    for part in ("called logits, stage2", "those of stem", "in no block: stage1_dense1"):
        assert part in str(error.value)


def test_rates_fall_by_the_factor_from_the_top_down(network, request_for):
    multipliers = rate_multipliers(blocks_by_depth(request_for(), 3), 2.6)

    assert numbers(network, multipliers) == pytest.approx(
        [2.6**-2, 2.6**-2, 2.6**-1, 2.6**-1, 1, 1]
    )
    assert id(network.get_layer("logits")) not in multipliers


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, ["stage1_norm", "stage1_dense2", "logits"]),
        (1, ["stem_dense2", "stage1_dense1", "stage1_norm", "stage1_dense2", "logits"]),
        (2, [*BODY, "logits"]),
        (7, [*BODY, "logits"]),
    ],
)
def test_each_epoch_opens_one_more_block_whole(request_for, epoch, expected):
    request = request_for()

    open_layers = opened_layers(request, batch_norm="train", blocks=blocks_by_depth(request, 3))

    assert names(open_layers(epoch)) == expected


def test_named_blocks_open_by_their_numbers(request_for):
    request = request_for()
    blocks = blocks_by_name(request, {"stem": 0, "stage1": 4})

    open_layers = opened_layers(request, batch_norm="train", blocks=blocks)

    assert names(open_layers(3)) == ["stage1_dense1", "stage1_norm", "stage1_dense2", "logits"]
    assert names(open_layers(4)) == [*BODY, "logits"]


@pytest.mark.parametrize(
    ("batch_norm", "is_pretrained", "is_open"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("frozen", True, False),
        ("frozen", False, False),
        ("train", True, True),
        ("train", False, True),
    ],
)
def test_when_batch_norm_of_the_body_trains(request_for, batch_norm, is_pretrained, is_open):
    open_layers = opened_layers(request_for(is_pretrained=is_pretrained), batch_norm=batch_norm)

    assert ("stem_norm" in names(open_layers(0))) is is_open
    assert "stem_dense1" in names(open_layers(0))


class Block(keras.layers.Layer):
    """A convolution and its BatchNorm in one layer, as keras-cv and KerasHub nest them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(4)
        self.norm = keras.layers.BatchNormalization()

    def call(self, values, training=None):
        return self.norm(self.dense(values), training=training)


def test_batch_norm_inside_other_layers_is_found_and_kept_shut():
    image = keras.Input((4,))
    block, head = Block(), keras.layers.Dense(2)
    keras.Model(image, head(block(image)))
    groups = (TrainableGroup("stem", (block,)), TrainableGroup("head", (head,), is_head=True))
    request = PlanRequest(groups, 1, 1, 1)

    assert frozen_inside(request, "auto") == (block.norm,)
    assert frozen_inside(request, "train") == ()
