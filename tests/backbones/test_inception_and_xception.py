import keras
import numpy as np
import pytest

from hubcls.backbones.blocks import Style
from hubcls.backbones.inception import Blocks, Inception, Step
from hubcls.backbones.pnasnet import PNASNet
from hubcls.backbones.xception import Block, Xception
from hubcls.errors import ConfigError
from hubcls.modules.groups import groups_by_output

KINDS = {
    "stem": ((Step(kernel_size=3, strides=2),),),
    "pooled": (
        (Step(("branch0", "_one"), 1),),
        (
            Step(("branch1.0", "_two"), 1),
            (Step(("branch1.1a",), (1, 3)), Step(("branch1.1b",), (3, 1))),
        ),
        (Step(pool="average", kernel_size=3), Step(("branch2.1", "_three"))),
    ),
}
STAGES = (
    (Blocks("stem", (("first", "_first"),), (4,)),),
    (Blocks("pooled", (("mixed", "_mixed"),), (2, 3, 4, 5, 6)),),
)
INCEPTION = Inception(KINDS, STAGES)
FLOWS = {
    "entry": (Block((8, 8), 2, starts_with_relu=False), Block((12, 12))),
    "middle": Block((12, 12, 12), repeats=2),
    "exit": (Block((12, 16), 2), Block((20, 24), dilation=2, has_skip=False)),
}
NETWORKS = {
    "Inception": INCEPTION,
    "Xception": Xception(**FLOWS),
    "aligned Xception": Xception(**FLOWS, is_aligned=True, paddle_name="x"),
    "PNASNet": PNASNet(stem_filters=4, filters=8, num_cells=(1,)),
}
SHAPES = {
    "Inception": [(19, 24, 4), (19, 24, 17)],
    "Xception": [(19, 24, 64), (10, 12, 12), (5, 6, 24)],
    "aligned Xception": [(19, 24, 64), (10, 12, 12), (5, 6, 24)],
    "PNASNet": [(18, 23, 4), (9, 12, 10), (5, 6, 40)],
}


def built(network, size=(37, 48)):
    image = keras.Input((*size, 3))
    stages = network.stage_outputs(image)
    return keras.Model(image, stages[-1]), stages


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stage_ends_where_the_next_one_shrinks_the_image(name):
    _, stages = built(NETWORKS[name])

    assert [stage.shape[1:] for stage in stages] == SHAPES[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_with_weights_belongs_to_one_stage(name):
    model, stages = built(NETWORKS[name])

    groups = groups_by_output(model, stages)

    layers = [layer for group in groups for layer in group.layers]
    assert sorted(layers) == sorted(layer.name for layer in model.layers if layer.weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_computes_the_same(name, tmp_path):
    model, _ = built(NETWORKS[name])
    image = np.random.default_rng(0).random((1, 37, 48, 3), np.float32)

    model.save(tmp_path / "backbone.keras")

    loaded = keras.saving.load_model(tmp_path / "backbone.keras")
    np.testing.assert_array_equal(loaded(image), model(image))


@pytest.mark.parametrize(
    "blocks", [Blocks("pooled", (("mixed",),), (2, 3)), Blocks("?", (("m",),))]
)
def test_blocks_that_do_not_fit_their_kind_are_refused(blocks):
    with pytest.raises(ConfigError, match=r"mixed has 2 filters|no kind is called"):
        Inception(KINDS, (*STAGES, (blocks,)))


def test_a_block_without_batch_norm_has_one_rectifier_behind_all_branches():
    model, _ = built(Inception(KINDS, STAGES, style=None))

    kinds = [type(layer).__name__ for layer in model.layers]
    assert "BatchNormalization" not in kinds
    assert [layer.name for layer in model.layers if "activation" in layer.name] == [
        "mixed_activation"
    ]


def test_the_pooled_branch_comes_first_where_the_numbers_say_so():
    plain, _ = built(INCEPTION)
    turned, _ = built(Inception(KINDS, STAGES, last_first=("pooled",)))
    image = np.random.default_rng(0).random((1, 37, 48, 3), np.float32)
    for layer in (layer for layer in plain.layers if layer.weights):
        turned.get_layer(layer.name).set_weights(layer.get_weights())

    expected = np.roll(plain(image), 6, axis=-1)

    np.testing.assert_allclose(turned(image), expected, rtol=1e-6)


@pytest.mark.parametrize(("counts_padding", "corner"), [(True, 4 / 9), (False, 1.0)])
def test_zeros_around_the_map_count_in_an_average_only_where_told(counts_padding, corner):
    kinds = {"pool": ((Step(pool="average", kernel_size=3),),)}
    network = Inception(kinds, ((Blocks("pool", (("p",),)),),), counts_padding=counts_padding)
    model, _ = built(network, (4, 4))

    assert float(model(np.ones((1, 4, 4, 3), np.float32))[0, 0, 0, 0]) == pytest.approx(corner)


def test_the_names_of_a_branch_follow_from_block_and_step():
    prefix = Inception(KINDS, STAGES, classifier=("fc", "out", "final"), style=Style()).key_rules()

    assert prefix["timm"].prefix("mixed.branch0.conv") == "mixed.branch0.conv"
    assert prefix["PaddleClas"].prefix("mixed.branch0.conv") == "_mixed._one._conv"
    assert prefix["PaddlePaddle"].prefix("mixed.branch0.bn") == "_mixed__one_bn"
    assert prefix["PaddlePaddle"].factors == {"fc": 0.8}
