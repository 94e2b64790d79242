import keras
import numpy as np
import pytest

from hubcls.backbones import InvertedResidual, Stage, efficientnet_lite
from hubcls.backbones.blocks import divisible
from hubcls.weights import Naming
from hubcls.weights.loading import slots

# Width, depth, and parameters with the classifier as published (running statistics aside).
LITES = {
    0: (1.0, 1.0, 4_652_008),
    1: (1.0, 1.1, 5_416_680),
    2: (1.1, 1.2, 6_092_072),
    3: (1.2, 1.4, 8_197_096),
    4: (1.4, 1.8, 13_006_568),
}
SMALL = InvertedResidual(
    stem_filters=8,
    stages=(
        Stage(num_blocks=1, kernel_size=3, strides=1, expansion=1, filters=8),
        Stage(num_blocks=2, kernel_size=5, strides=2, expansion=6, filters=16),
    ),
    top_filters=32,
)


def model_of(network, *, size=(32, 32), num_classes=10):
    inputs = keras.Input((*size, 3))
    return keras.Model(inputs, network.logits(network.feature_map(inputs), num_classes))


@pytest.mark.parametrize("number", LITES)
def test_every_lite_has_the_published_number_of_parameters(number):
    width, depth, published = LITES[number]

    assert parameters_of(efficientnet_lite(width, depth), num_classes=1000) == published


def test_the_counted_parameters_are_those_of_the_built_network():
    model = model_of(SMALL)

    built = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)

    assert built == parameters_of(SMALL, num_classes=10)


@pytest.mark.parametrize("number", LITES)
def test_stem_top_and_the_depth_of_the_outer_stages_are_never_scaled(number):
    width, depth, _ = LITES[number]

    network = efficientnet_lite(width, depth)

    assert (network.stem_filters, network.top_filters) == (32, 1280)
    assert (network.stages[0].num_blocks, network.stages[-1].num_blocks) == (1, 1)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [(16, 16), (17.6, 16), (22.4, 24), (33.6, 32), (1, 8), (10, 16), (268.8, 272)],
)
def test_channels_are_multiples_of_eight_and_never_much_fewer_than_asked(filters, expected):
    assert divisible(filters) == expected


def test_shortcuts_stand_only_where_shape_is_kept():
    with_shortcut = [block.name for block in efficientnet_lite().blocks() if block.has_shortcut]

    assert with_shortcut == [
        "block2b", "block3b", "block4b", "block4c", "block5b", "block5c", "block6b", "block6c",
        "block6d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "expected"), [((32, 32), (8, 8)), ((33, 31), (9, 8)), ((5, 7), (2, 2))]
)
def test_odd_sizes_are_rounded_up_at_every_stride_as_in_tensorflow(size, expected):
    inputs = keras.Input((*size, 3))

    assert SMALL.feature_map(inputs).shape[1:3] == expected


def test_layer_names_are_unique_and_the_same_on_every_call():
    names = [layer.name for layer in model_of(SMALL).layers[1:]]

    assert names == [layer.name for layer in model_of(SMALL).layers[1:]]
    assert len(set(names)) == len(names)
    assert names[:3] == ["stem_conv", "stem_bn", "stem_activation"]


def test_every_weight_has_a_key_of_its_own_in_every_naming():
    layers = model_of(SMALL).layers

    for name, prefixes in SMALL.key_prefixes().items():
        keys = [slot.key for slot in slots(layers, Naming(name, prefixes))]
        assert len(set(keys)) == len(keys) == sum(len(layer.weights) for layer in layers)
        assert not any(key.startswith("<") for key in keys)


def test_a_rebuilt_network_computes_the_same():
    model = model_of(SMALL)
    image = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)

    rebuilt = keras.Model.from_config(model.get_config())
    rebuilt.set_weights(model.get_weights())

    np.testing.assert_array_equal(rebuilt(image), model(image))


def test_random_weights_differ_between_layers_of_one_shape():
    model = model_of(SMALL)

    first = model.get_layer("block2a_expand_conv").kernel.numpy()
    assert first.std() > 0
    kernels = [layer.kernel.numpy() for layer in model.layers if hasattr(layer, "kernel")]
    drawn = [kernel.ravel()[:8].tobytes() for kernel in kernels]
    assert len(set(drawn)) == len(drawn)


def test_logits_are_float32_under_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = model_of(SMALL)
    finally:
        keras.config.set_dtype_policy(before)

    assert model.get_layer("top_conv").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"


def parameters_of(network, *, num_classes):
    """Counted by hand, convolution by convolution; BatchNorm has two for each channel."""
    total = 27 * network.stem_filters + 2 * network.stem_filters
    for block in network.blocks():
        wide = block.expansion * block.input_filters
        if block.expansion != 1:
            total += block.input_filters * wide + 2 * wide
        total += block.kernel_size**2 * wide + 2 * wide
        total += wide * block.filters + 2 * block.filters
    channels = network.stages[-1].filters
    total += channels * network.top_filters + 2 * network.top_filters
    return total + (network.top_filters + 1) * num_classes
