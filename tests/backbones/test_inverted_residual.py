import dataclasses

import keras
import numpy as np
import pytest

from hubcls.backbones.blocks import Style, divisible
from hubcls.backbones.inverted_residual import Blocks, InvertedResidual
from hubcls.backbones.mobile_blocks import Gate
from hubcls.modules import finding
from hubcls.modules.groups import groups_by_output
from hubcls.modules.sources import native
from hubcls.weights import Naming, leaves_of
from hubcls.weights.loading import slots

# Parameters with the classifier as published (running statistics aside).
LITES = {0: 4_652_008, 1: 5_416_680, 2: 6_092_072, 3: 8_197_096, 4: 13_006_568}
SMALL = InvertedResidual(
    stem_filters=8,
    stages=(
        (Blocks(8, expansion=1),),
        (
            Blocks(16, strides=2, kernel_sizes=(3, 5), splits=(2, 2), squeeze=2),
            Blocks(16, expansion=3, kernel_sizes=(5,)),
        ),
    ),
    top_filters=32,
)
# What each kind of network has of its own.
KINDS = {
    "linear": SMALL,
    "separable": dataclasses.replace(SMALL, shortcut="none", top_filters=0),
    "hidden": dataclasses.replace(SMALL, hidden_filters=12, style=Style("hard_silu")),
    "narrower": dataclasses.replace(
        SMALL,
        divisor=1,
        shortcut="narrower",
        depthwise_activation="relu6",
        gate=Gate(has_bn=True, is_early=True),
        stages=((Blocks(8, num_blocks=3, growth=2.5, squeeze=4),),),
    ),
}


def model_of(network, *, size=(32, 32), num_classes=10):
    inputs = keras.Input((*size, 3))
    stages = network.stage_outputs(inputs)
    return keras.Model(inputs, network.logits(stages[-1], num_classes))


def lite(number):
    return native.architecture_of(finding.spec(f"efficientnet_lite{number}_imagenet"))


@pytest.mark.parametrize("number", LITES)
def test_every_lite_has_the_published_number_of_parameters(number):
    assert parameters_of(lite(number), num_classes=1000) == LITES[number]


def test_the_counted_parameters_are_those_of_the_built_network():
    plain = dataclasses.replace(SMALL, stages=((Blocks(8, expansion=1), Blocks(16, strides=2)),))

    built = sum(int(np.prod(weight.shape)) for weight in model_of(plain).trainable_weights)

    assert built == parameters_of(plain, num_classes=10)


@pytest.mark.parametrize("number", LITES)
def test_the_depth_of_a_lites_outer_stages_is_never_scaled(number):
    first, *_, last = lite(number).blocks()

    assert (len(first), len(last)) == (1, 1)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [(16, 16), (17.6, 16), (22.4, 24), (33.6, 32), (1, 8), (10, 16), (268.8, 272)],
)
def test_channels_are_multiples_of_eight_and_never_much_fewer_than_asked(filters, expected):
    assert divisible(filters) == expected


@pytest.mark.parametrize(
    ("shortcut", "expected"),
    [("equal", ["blocks.1.1"]), ("narrower", ["blocks.0.0", "blocks.1.1"]), ("none", [])],
)
def test_shortcuts_stand_only_where_no_channel_and_no_pixel_gets_lost(shortcut, expected):
    network = dataclasses.replace(SMALL, stem_filters=6, shortcut=shortcut)

    blocks = [block for stage in network.blocks() for block in stage]

    assert [block.name for block in blocks if block.has_shortcut] == expected


def test_expanded_channels_are_scaled_from_what_they_are_at_width_1_if_asked():
    stages = ((Blocks(24, expansion=1), Blocks(24, expansion=3.67)),)
    network = InvertedResidual(stem_filters=8, stages=stages, width=0.5)
    [[_, from_scaled]] = network.blocks()
    [[_, scaled]] = dataclasses.replace(network, scales_expansion=True).blocks()

    # 3.67 · 16 is 58.7; 0.5 · round(3.67 · 24) is 44.
    assert (from_scaled.expanded, scaled.expanded) == (56, 48)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize(
    ("size", "expected"), [((32, 32), (8, 8)), ((33, 31), (9, 8)), ((5, 7), (2, 2))]
)
def test_odd_sizes_are_rounded_up_at_every_stride(padding, size, expected):
    network = dataclasses.replace(SMALL, style=Style(padding=padding))

    stages = network.stage_outputs(keras.Input((*size, 3)))

    assert stages[-1].shape[1:] == (*expected, 32)
    assert len(stages) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_with_weights_is_in_one_group_in_order(kind):
    inputs = keras.Input((33, 31, 3))
    stages = KINDS[kind].stage_outputs(inputs)
    model = keras.Model(inputs, stages[-1])

    groups = groups_by_output(model, stages)

    grouped = [name for group in groups for name in group.layers]
    assert grouped == [layer.name for layer in model.layers if layer.weights]


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_a_key_of_its_own_in_timms_naming(kind):
    layers = model_of(KINDS[kind]).layers
    own_names = {layer.name: layer.name for layer in layers}

    keys = [slot.key for slot in slots(layers, Naming("timm", own_names, leaves_of("torch")))]

    assert len(set(keys)) == len(keys) == sum(len(layer.weights) for layer in layers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_network_computes_the_same(kind, tmp_path):
    model = model_of(KINDS[kind])
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_array_equal(loaded(image), model(image))


def test_random_weights_differ_between_layers_of_one_shape():
    kernels = [layer.kernel.numpy() for layer in model_of(SMALL).layers if hasattr(layer, "kernel")]

    drawn = [kernel.ravel()[:8].tobytes() for kernel in kernels]

    assert len(set(drawn)) == len(drawn)


def test_logits_are_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = model_of(SMALL)
    finally:
        keras.config.set_dtype_policy(before)

    assert model.get_layer("conv_head").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


def parameters_of(network, *, num_classes):
    """Counted by hand, convolution by convolution; BatchNorm has two for each channel."""
    inputs = network.stem_filters
    total = 27 * inputs + 2 * inputs
    for block in (block for stage in network.blocks() for block in stage):
        if not block.is_separable:
            total += inputs * block.expanded + 2 * block.expanded
        total += block.kernel_sizes[0] ** 2 * block.expanded + 2 * block.expanded
        total += block.expanded * block.filters + 2 * block.filters
        inputs = block.filters
    total += inputs * network.top_filters + 2 * network.top_filters
    return total + (network.top_filters + 1) * num_classes
