"""Networks of several ways: trees, branches, halves of channels, and kernels of their own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.backbones import shuffling
from hubcls.backbones.dla import DeepLayerAggregation
from hubcls.backbones.ghost import Block, GhostNet
from hubcls.backbones.involution import RedNet
from hubcls.backbones.involution_layers import Involution
from hubcls.backbones.multi_branch import MultiBranch
from hubcls.backbones.shuffling import ESNet, ShuffleNet
from hubcls.modules.groups import groups_by_output
from hubcls.weights import Naming, leaves_of
from hubcls.weights.loading import slots

SHUFFLED = (shuffling.Stage(16, 2), shuffling.Stage(32, 2))
TREES = DeepLayerAggregation(
    filters=(4, 8, 64, 64), depths=(1, 2, 1, 2), groups=2, group_width=32, has_residual_roots=True
)
GHOSTS = GhostNet(
    stages=((Block(3, 16, 16),), (Block(5, 48, 24, 2, has_gate=True), Block(3, 48, 24))),
    top_filters=48,
    stem_filters=16,
)
# A network, a size that it takes, and the sides and channels of its stages then.
NETWORKS = {
    "shufflenet": (
        ShuffleNet(SHUFFLED, top_filters=24),
        (37, 50),
        [(10, 13, 24), (5, 7, 16), (3, 4, 24)],
    ),
    "esnet": (
        ESNet(SHUFFLED, top_filters=24, hidden_units=8),
        (37, 50),
        [(10, 13, 24), (5, 7, 16), (3, 4, 24)],
    ),
    "branches": (
        MultiBranch(4, (1,), head_filters=(4, 8), num_features=40, squeeze_ratio=4),
        (16, 24),
        [(4, 6, 64), (4, 6, 256), (2, 3, 40)],
    ),
    "trees": (TREES, (31, 48), [(31, 48, 4), (16, 24, 8), (8, 12, 64), (4, 6, 64)]),
    "ghosts": (GHOSTS, (37, 50), [(19, 25, 16), (10, 13, 48)]),
    "involution": (
        RedNet((1, 2), filters=32, kernel_size=3),
        (21, 31),
        [(6, 8, 32), (6, 8, 128), (3, 4, 256)],
    ),
}


def built(name):
    network, size, _ = NETWORKS[name]
    image = keras.Input((*size, 3))
    stages = network.stage_outputs(image)
    return keras.Model(image, network.logits(stages[-1], 7)), stages


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_has_its_shape(name):
    _, stages = built(name)

    assert [tuple(stage.shape[1:]) for stage in stages] == NETWORKS[name][2]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weighted_layer_is_in_one_group_in_order(name):
    model, stages = built(name)
    backbone = keras.Model(model.input, stages[-1])

    groups = groups_by_output(backbone, stages)

    found = [layer for group in groups for layer in group.layers]
    assert sorted(found) == sorted(layer.name for layer in backbone.layers if layer.weights)
    assert all(group.layers for group in groups)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_classifier_loads_again_and_computes_the_same(name, tmp_path):
    model, _ = built(name)
    image = np.random.RandomState(0).normal(size=(2, *NETWORKS[name][1], 3)).astype(np.float32)
    model.save(tmp_path / "model.keras")

    loaded = keras.models.load_model(tmp_path / "model.keras")

    np.testing.assert_allclose(loaded(image), model(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_has_a_key_of_its_own_in_every_naming(name):
    model, _ = built(name)

    for naming, rules in NETWORKS[name][0].key_rules().items():
        prefixes = {layer.name: rules.prefix(layer.name) for layer in model.layers}
        keys = [
            slot.key
            for slot in slots(model.layers, Naming(naming, prefixes, leaves_of(rules.framework)))
        ]
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("branches", (16, 20), "multiples of 8"),
        ("branches", (4, 8), "multiples of 8"),
        ("trees", (29, 32), "multiple of 4"),
        ("involution", (32, 35), "multiple of 2"),
    ],
)
def test_sizes_whose_ways_would_not_meet_are_refused(name, size, message):
    with pytest.raises(ValueError, match=message):
        NETWORKS[name][0].stage_outputs(keras.Input((*size, 3)))


def test_old_names_of_shufflenet_count_convolutions_and_units():
    rename = NETWORKS["shufflenet"][0].key_rules()["PaddlePaddle's static"].prefix

    names = ["conv1.1", "stage2.0.branch1.2", "stage3.5.branch2.4", "conv5.0", "fc"]

    assert [rename(name) for name in names] == [
        "stage1_conv_bn", "stage_2_1_conv5", "stage_3_6_conv2_bn", "conv5", "fc6",
    ]  # fmt: skip


def test_steps_between_branches_are_numbered_in_paddleclas():
    rename = MultiBranch(18).key_rules()["PaddleClas"].prefix
    prefix = "st4.stage_func_list.2.fuse_func.residual_func_list"

    # Of four branches: three ways up to the first, then one down and two up for the second.
    assert rename("stage4.2.fuse_layers.1.0.0.1") == f"{prefix}.3.bn"
    assert rename("stage4.2.fuse_layers.1.3.0") == f"{prefix}.5.conv"
    assert rename("stage4.2.fuse_layers.3.0.2.0") == f"{prefix}.12.conv"


def unfolded(x, kernels, size, strides):
    """The involution by its definition, from all windows at once."""
    windows = [1, size, size, 1], [1, strides, strides, 1], [1, 1, 1, 1]
    pad = size // 2
    x = tf.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    taps = tf.image.extract_patches(x, *windows, padding="VALID")
    groups = kernels.shape[-1] // size**2
    taps = tf.reshape(taps, (*taps.shape[:3], size**2, groups, -1))
    kernels = tf.reshape(kernels, (*kernels.shape[:3], groups, size**2))
    return tf.reshape(tf.einsum("bhwkgc,bhwgk->bhwgc", taps, kernels), (*taps.shape[:3], -1))


@pytest.mark.parametrize(("size", "strides"), [(3, 1), (7, 1), (7, 2)])
def test_an_involution_and_its_gradients_are_those_of_the_unfolded_map(size, strides):
    chance = np.random.RandomState(0)
    x = tf.Variable(chance.normal(size=(2, 6, 8, 4)).astype(np.float32))
    shape = (2, 6 // strides, 8 // strides, 2 * size**2)
    kernels = tf.Variable(chance.normal(size=shape).astype(np.float32))
    upstream = chance.normal(size=(*shape[:3], 4)).astype(np.float32)

    with tf.GradientTape(persistent=True) as tape:
        found = Involution(size, strides)([x, kernels])
        wanted = unfolded(x, kernels, size, strides)

    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(
        tape.gradient(found, [x, kernels], upstream),
        tape.gradient(wanted, [x, kernels], upstream),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
