"""What a network multiplies, beside what the catalogue states of it."""

from pathlib import Path

import keras
import pytest
import tensorflow as tf

import hubcls
from hubcls.backbones.attention_layers import Attention
from hubcls.backbones.layers import GroupedConv2D
from hubcls.training.work import (
    AttentionProducts,
    Convolution,
    DepthwiseConvolution,
    Product,
    covered_share,
    work_of,
)


def convolutional():
    image = keras.Input((112, 112, 3))
    x = keras.layers.Conv2D(64, 3, strides=2, padding="same")(image)
    x = keras.layers.Conv2D(64, 3, padding="same")(x)
    x = keras.layers.Conv2D(64, 3, padding="same")(x)
    x = GroupedConv2D(64, 3, groups=4, dilation_rate=2)(x)
    return keras.Model(image, keras.layers.DepthwiseConv2D(5)(x))


def attending():
    tokens = keras.Input((10, 32))
    keys, values = keras.layers.Dense(16)(tokens), keras.layers.Dense(64)(tokens)
    x = Attention(4)([keys, keys, values])
    return keras.Model(tokens, keras.layers.Dense(5)(x[:, 0]))


def test_convolutions_are_counted_by_shape():
    assert work_of(convolutional()) == {
        Convolution((112, 112, 3), (3, 3, 3, 64), 2, "SAME"): 1,
        Convolution((56, 56, 64), (3, 3, 64, 64), 1, "SAME"): 2,
        Convolution((56, 56, 64), (3, 3, 16, 64), 1, "VALID", dilation=2): 1,
        DepthwiseConvolution((52, 52, 64), (5, 5, 64, 1), 1, "VALID"): 1,
    }


def test_matrix_products_are_counted_by_shape():
    assert work_of(attending()) == {
        Product(rows=10, kernel=(32, 16)): 1,
        Product(rows=10, kernel=(32, 64)): 1,
        AttentionProducts(groups=4, queries=10, keys=10, key_width=4, value_width=16): 1,
        Product(rows=1, kernel=(64, 5)): 1,
    }


def test_weights_of_layers_that_are_not_counted_are_not_covered():
    sequence = keras.Input((4, 8))
    x = keras.layers.Dense(8, use_bias=False)(sequence)
    network = keras.Model(sequence, keras.layers.SimpleRNN(8, use_bias=False)(x))

    assert covered_share(network) == pytest.approx(64 / (64 + 128))


CPU_FACTS = Path("/proc/cpuinfo")
HAS_AVX512 = not CPU_FACTS.is_file() or "avx512f" in CPU_FACTS.read_text(encoding="utf-8")


@pytest.mark.parametrize("network", [convolutional, attending])
@pytest.mark.parametrize(
    "dtype",
    [
        tf.float32,
        # Nor is anything timed in bfloat16 there: precision "auto" asks for AMX first.
        pytest.param(
            tf.bfloat16,
            marks=pytest.mark.skipif(
                not HAS_AVX512, reason="TensorFlow has no gradient of dilated convolutions"
            ),
        ),
    ],
)
def test_each_kind_of_work_is_timed_forward_and_backward(network, dtype):
    assert all(0 < work.seconds(1, dtype) < 10 for work in work_of(network()))


@pytest.mark.parametrize(
    "name",
    ["deit_tiny_patch16_224_imagenet", "efficientnet_lite0_imagenet", "resnet50_imagenet"],
)
def test_multiply_adds_are_those_of_the_catalogue(name):
    module = hubcls.Module(name=name, weights=None)

    work = work_of(module.backbone)

    head = 1000 * module.spec.num_features
    counted = sum(one.multiply_adds * count for one, count in work.items()) + head
    assert counted == pytest.approx(module.spec.num_macs, rel=1e-6)
    assert covered_share(module.backbone) > 0.9


def test_a_transformer_is_mostly_matrix_products():
    work = work_of(hubcls.Module(name="deit_tiny_patch16_224_imagenet", weights=None).backbone)

    total = sum(one.multiply_adds * count for one, count in work.items())
    products = sum(
        one.multiply_adds * count
        for one, count in work.items()
        if isinstance(one, Product | AttentionProducts)
    )
    assert products > 0.95 * total
