import dataclasses

import keras
import numpy as np
import pytest

from hubcls.backbones.residual import Residual, Shortcut, Stem
from hubcls.backbones.residual_blocks import MultiScale, SplitAttention, multi_scale
from hubcls.modules.groups import groups_by_output

PLAIN = Residual(
    depths=(1, 2), widths=(16, 32), filters=(24, 48), groups=(1, 1), stem=Stem(filters=(8,))
)
BASIC = dataclasses.replace(PLAIN, block="basic")
DEEP = dataclasses.replace(
    PLAIN,
    groups=(4, 4),
    reduction=4,
    stem=Stem(filters=(8, 8, 16), kernel_size=3),
    shortcut=Shortcut(is_pooled=True),
)
PREACTIVATED = dataclasses.replace(BASIC, is_preactivated=True)
WITHOUT_POOL = dataclasses.replace(PLAIN, stem=Stem((8,), kernel_size=3, is_pooled=False))
SMALL = dataclasses.replace(BASIC, stem=Stem((24,), kernel_size=3, strides=1, is_pooled=False))
NETWORKS = {
    "plain": PLAIN,
    "deep": DEEP,
    "preactivated": PREACTIVATED,
    "without pool": WITHOUT_POOL,
    "multi-scale": dataclasses.replace(PLAIN, multi_scale=MultiScale(4)),
    "split attention": dataclasses.replace(
        DEEP, groups=(2, 2), reduction=None, split_attention=SplitAttention(2, counts_padding=False)
    ),
    "one split": dataclasses.replace(
        PLAIN, split_attention=SplitAttention(1, is_pooled_first=True)
    ),
    "fused": dataclasses.replace(BASIC, is_fused=True),
}


def built(network, size=(37, 50)):
    """The backbone and its stages' outputs."""
    image = keras.Input((*size, 3))
    stages = network.stage_outputs(image)
    return keras.Model(image, stages[-1]), stages


def image_of(size=(37, 50)):
    return np.random.RandomState(0).uniform(-1, 1, (1, *size, 3)).astype(np.float32)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_odd_maps_shrink_as_pytorchs(network):
    _, stages = built(network)

    shapes = [tuple(stage.shape[1:]) for stage in stages]

    stem = network.stem.filters[-1]
    assert shapes == [(19, 25, stem), (10, 13, 24), (5, 7, 48)]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_every_weighted_layer_is_in_one_group(network):
    model, stages = built(network)

    grouped = [name for group in groups_by_output(model, stages) for name in group.layers]

    assert sorted(grouped) == sorted(layer.name for layer in model.layers if layer.weights)
    assert len(set(grouped)) == len(grouped)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_saved_backbone_computes_the_same(network, tmp_path):
    model, _ = built(network)
    model.save(tmp_path / "backbone.keras")

    loaded = keras.models.load_model(tmp_path / "backbone.keras")

    np.testing.assert_allclose(loaded(image_of()), model(image_of()), rtol=1e-5, atol=1e-5)


def test_a_stem_of_stride_1_leaves_the_first_stage_the_pictures_size():
    _, stages = built(SMALL, (9, 12))

    assert [tuple(stage.shape[1:]) for stage in stages] == [(9, 12, 24), (9, 12, 24), (5, 6, 48)]


def test_the_small_network_computes_what_the_paper_draws():
    model, _ = built(SMALL, (9, 12))
    image = image_of((9, 12))

    np.testing.assert_allclose(model(image), small_network(model, image), atol=1e-5)


def small_network(model, x):
    """He et al. 2015, section 4.2, in `model`'s layers: pairs of 3×3 convolutions and shortcuts."""

    def unit(x, conv, norm):
        layer = model.get_layer(conv)
        around = (layer.kernel_size[0] - 1) // 2 if layer.padding == "valid" else 0
        x = np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)))
        return np.asarray(model.get_layer(norm)(layer(x)))

    x = np.maximum(unit(x, "conv1", "bn1"), 0)
    for block in ("layer1.0", "layer2.0", "layer2.1"):
        is_same = block != "layer2.0"
        shortcut = x if is_same else unit(x, f"{block}.downsample.0", f"{block}.downsample.1")
        x = np.maximum(unit(x, f"{block}.conv1", f"{block}.bn1"), 0)
        x = np.maximum(shortcut + unit(x, f"{block}.conv2", f"{block}.bn2"), 0)
    return x


def test_stages_without_their_numbers_are_refused():
    with pytest.raises(ValueError, match="one entry a stage"):
        Residual(depths=(2, 2))


def test_what_a_preactivated_network_would_pass_over_is_refused():
    with pytest.raises(ValueError, match="one stem convolution and plain blocks"):
        dataclasses.replace(PREACTIVATED, reduction=4)


def test_means_that_leave_the_padding_out_are_those_of_the_map_alone():
    rules = [MultiScale(2, pools_first=True, counts_padding=counts) for counts in (True, False)]
    image = keras.Input((5, 6, 4))
    style = PLAIN.style
    outputs = [
        multi_scale(image, rule, style, name=f"block{i}", strides=2, is_first=True)
        for i, rule in enumerate(rules)
    ]

    counted, alone = keras.Model(image, outputs)(np.ones((1, 5, 6, 4), np.float32))

    np.testing.assert_allclose(alone[..., 2:], 1, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(counted)[0, 0, 0, 2:], 4 / 9, rtol=1e-6)


def test_the_fused_network_is_the_one_whose_batch_norms_it_holds():
    model, _ = built(BASIC)
    fused, _ = built(dataclasses.replace(BASIC, is_fused=True))
    chance = np.random.RandomState(1)
    for layer in model.layers:
        for weight in layer.weights:
            weight.assign(chance.uniform(0.2, 0.6, weight.shape))

    for layer in (layer for layer in fused.layers if layer.weights):
        layer.set_weights(folded(model, layer.name))

    np.testing.assert_allclose(fused(image_of()), model(image_of()), rtol=1e-3)


def folded(model, name):
    """A convolution's kernel and bias with its BatchNorm multiplied in; else the weights."""
    weights = model.get_layer(name).get_weights()
    if "conv" not in name:
        return weights
    gamma, beta, mean, variance = model.get_layer(name.replace("conv", "bn")).get_weights()
    scale = gamma / np.sqrt(variance + 1e-5)
    return [weights[0] * scale, beta - mean * scale]


KEYS = [
    ("layer3.22.conv2", "res4b22_branch2b"),
    ("layer3.0.bn1", "bn4a_branch2a"),
    ("layer2.3.downsample.1", "res3d_branch1"),
    ("layer1.0.se.fc2", "fc_res2a_exc"),
    ("layer1.1.convs.0", "res2b_branch2b_1"),
    ("conv1.3", "conv1_2"),
    ("bn1", "bnv1_3"),
]


@pytest.mark.parametrize(("layer", "key"), KEYS)
def test_blocks_of_old_files_have_letters_or_in_long_stages_numbers(layer, key):
    network = Residual(
        depths=(3, 4, 23, 3), stem=Stem((32, 32, 64), 3), shortcut=Shortcut(is_pooled=True)
    )

    assert network.key_rules()["PaddlePaddle's ResNet"].prefix(layer) == key


def test_stages_of_se154_are_counted_from_four():
    rules = NETWORKS["deep"].key_rules()

    assert rules["PaddlePaddle's SE-ResNeXt"].prefix("layer1.0.bn2") == "conv2_1_x2_bn"
    assert rules["PaddlePaddle's SE154"].prefix("layer1.0.bn2") == "conv4_1_x2_bn"


def test_only_the_old_files_of_paddlepaddle_need_its_dropout():
    rules = dataclasses.replace(PLAIN, dropout=0.2).key_rules()

    factors = {name: rule.factors for name, rule in rules.items() if rule.factors}

    assert factors == {
        name: {"fc": 0.8} for name, rule in rules.items() if rule.framework == "paddle_static"
    }


def test_keys_of_old_files_become_regular():
    prepare = PLAIN.key_rules()["PaddlePaddle's ResNet"].prepared
    keys = ["fc_0.w_0", "fc6_offset", "res_conv1_weights", "res2a_branch2b_acsquare_bias"]

    assert list(prepare(dict.fromkeys(keys, np.zeros(1, np.float32)))) == [
        "fc_weights", "fc_offset", "conv1_weights", "res2a_branch2b_offset",
    ]  # fmt: skip
