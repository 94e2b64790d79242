import dataclasses

import keras
import numpy as np
import pytest

from hubcls.backbones.concatenating import DenseNet, DualPath, DualPathStage
from hubcls.backbones.darknet import DarkNet
from hubcls.backbones.hardnet import Block, HarDNet
from hubcls.backbones.repvgg import RepVGG
from hubcls.backbones.sequential import Convolution, Sequential
from hubcls.backbones.squeezenet import Fire, SqueezeNet
from hubcls.modules import finding
from hubcls.modules.groups import groups_by_output
from hubcls.modules.sources import native
from hubcls.modules.sources.native import Checkpoint

HARMONIC = HarDNet(
    stem_filters=(8, 12),
    blocks=(Block(4, 6, 16, shrinks=True), Block(3, 8, 24)),
    block_dropout=0.1,
)
SQUEEZED = SqueezeNet(8, 3, stages=((Fire(4, 8),), (Fire(4, 12), Fire(4, 12))))
NETWORKS = {
    "sequential": Sequential(((Convolution(8),), (Convolution(12), Convolution(16))), map_size=3),
    "squeezenet": SQUEEZED,
    "squeezenet without ceiling": dataclasses.replace(
        SQUEEZED, has_ceil_pools=False, stem_padding=1
    ),
    "darknet": DarkNet((1, 2), stem_filters=8),
    "repvgg": RepVGG(stem_filters=8, num_blocks=(2, 2), filters=(8, 16), groups=4),
    "densenet": DenseNet((2, 3), stem_filters=8, growth_rate=4),
    "dual path": DualPath(8, 4, (DualPathStage(2, 8, 4, 8), DualPathStage(1, 16, 4, 16))),
    "hardnet": HARMONIC,
    "separable hardnet": dataclasses.replace(HARMONIC, is_separable=True),
}
SHAPES = {
    "sequential": [(18, 25, 8), (9, 12, 16)],
    "squeezenet": [(18, 24, 8), (9, 12, 16), (4, 6, 24)],
    "squeezenet without ceiling": [(19, 25, 8), (9, 12, 16), (4, 5, 24)],
    "darknet": [(37, 50, 8), (19, 25, 16), (10, 13, 32)],
    "repvgg": [(19, 25, 8), (10, 13, 8), (5, 7, 16)],
    "densenet": [(19, 25, 8), (10, 13, 16), (5, 6, 20)],
    "dual path": [(19, 25, 8), (10, 13, 24), (5, 7, 28)],
    "hardnet": [(19, 25, 12), (10, 13, 16), (5, 6, 24)],
    "separable hardnet": [(19, 25, 12), (10, 13, 16), (5, 7, 24)],
}
BRANCHES = {
    "conv_kxk.conv.weight": (8, 2, 3, 3),
    "conv_1x1.conv.weight": (8, 2, 1, 1),
    **{
        f"{norm}.{leaf}": (8,)
        for norm in ("conv_kxk.bn", "conv_1x1.bn", "identity")
        for leaf in ("weight", "bias", "running_mean", "running_var")
    },
}


def built(name):
    """A network's backbone for an odd size, and the outputs of its stages."""
    image = keras.Input((37, 50, 3))
    stages = NETWORKS[name].stage_outputs(image)
    return keras.Model(image, stages[-1]), stages


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_has_its_shape_at_an_odd_size(name):
    _, stages = built(name)

    assert [tuple(stage.shape[1:]) for stage in stages] == SHAPES[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weighted_layer_is_in_one_group(name):
    model, stages = built(name)

    grouped = [layer for group in groups_by_output(model, stages) for layer in group.layers]

    assert sorted(grouped) == sorted(layer.name for layer in model.layers if layer.weights)
    assert len(set(grouped)) == len(grouped)


@pytest.mark.parametrize("name", ["sequential", "repvgg", "dual path", "separable hardnet"])
def test_a_saved_classifier_loads_again_and_computes_the_same(name, tmp_path):
    backbone, _ = built(name)
    logits = NETWORKS[name].logits(backbone.output, 5)
    model = keras.Model(backbone.input, logits)
    image = np.random.RandomState(0).uniform(-1, 1, (1, 37, 50, 3)).astype(np.float32)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    np.testing.assert_allclose(loaded(image), model(image), rtol=1e-5, atol=1e-6)


def test_a_harmonic_layer_sees_those_a_power_of_two_away():
    model, _ = built("hardnet")
    inputs = {layer.name: layer.input for layer in model.layers}

    widths = [inputs[f"base.3.layers.{place}.conv"].shape[-1] for place in range(4)]

    # Layer 4, for one, sees the third, the second and the block's input: 6 + 10 + 12 channels.
    assert widths == [12, 6 + 12, 10, 6 + 10 + 12]


def test_every_second_convolution_of_repvgg_is_grouped():
    model, _ = built("repvgg")

    groups = [layer.groups for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]

    assert groups == [1, 1, 4, 1, 4]


def test_branches_are_added_up_to_the_convolution_that_they_compute():
    random = np.random.RandomState(0)
    arrays = {
        f"stages.0.1.{key}": random.uniform(0.5, 1.5, shape).astype(np.float32)
        for key, shape in BRANCHES.items()
    }
    image = random.uniform(-1, 1, (1, 9, 7, 8)).astype(np.float32)

    fused = NETWORKS["repvgg"].key_rules()["timm"].prepared(arrays)

    assert set(fused) == {"stages.0.1.reparam_conv.weight", "stages.0.1.reparam_conv.bias"}
    expected = sum(branch(arrays, "stages.0.1", part, image) for part in ("kxk", "1x1", "identity"))
    kernel, bias = fused.values()
    found = convolution(image, kernel) + bias
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def branch(arrays, block, part, image):
    """What a branch of a block computes in training form."""
    name = f"{block}.{part}" if part == "identity" else f"{block}.conv_{part}.bn"
    leaves = ("weight", "bias", "running_mean", "running_var")
    gamma, beta, mean, variance = (arrays[f"{name}.{leaf}"] for leaf in leaves)
    if part != "identity":
        image = convolution(image, arrays[f"{block}.conv_{part}.conv.weight"])
    return gamma * (image - mean) / np.sqrt(variance + 1e-5) + beta


def convolution(image, kernel):
    """A convolution in groups of maps [B, H, W, C] by a kernel [O, I, h, w]."""
    inputs, side = kernel.shape[1], kernel.shape[2]
    groups = image.shape[-1] // inputs
    outputs = len(kernel) // groups
    parts = [
        keras.ops.conv(
            image[..., place * inputs : (place + 1) * inputs],
            kernel[place * outputs : (place + 1) * outputs].transpose(2, 3, 1, 0),
            padding="same" if side > 1 else "valid",
        )
        for place in range(groups)
    ]
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize("missing", ["conv_1x1.bn.running_var", "conv_kxk.bn.weight"])
def test_an_incomplete_block_is_not_fused(missing):
    arrays = {f"stem.{key}": np.zeros(shape) for key, shape in BRANCHES.items() if key != missing}

    assert NETWORKS["repvgg"].key_rules()["timm"].prepared(arrays) == arrays


def static_names(name):
    """Names and shapes in an old checkpoint of PaddlePaddle, which had a file a tensor."""
    if name == "alexnet_imagenet":
        convolutions = zip((64, 192, 384, 256, 256), (3, 64, 192, 384, 256), strict=True)
        sides = (11, 5, 3, 3, 3)
        shapes = {
            f"conv{place}_weights": (*channels, side, side)
            for place, (channels, side) in enumerate(zip(convolutions, sides, strict=True), 1)
        }
        shapes |= {
            f"conv{place}_offset": (n,) for place, n in enumerate((64, 192, 384, 256, 256), 1)
        }
        return shapes | dense_shapes(256 * 36)
    widths, shapes, inputs = (64, 128, 256, 512, 512), {}, 3
    for stage, (width, count) in enumerate(zip(widths, (1, 1, 2, 2, 2), strict=True), 1):
        for place in range(1, count + 1):
            shapes[f"conv{stage}_{place}_weights"] = (width, inputs, 3, 3)
            inputs = width
    return shapes | dense_shapes(512 * 49)


def dense_shapes(inputs):
    sizes = {"fc6": (inputs, 4096), "fc7": (4096, 4096), "fc8": (4096, 1000)}
    weights = {f"{name}_weights": size for name, size in sizes.items()}
    return weights | {f"{name}_offset": size[1:] for name, size in sizes.items()}


@pytest.mark.slow  # a hundred million weights
@pytest.mark.parametrize("name", ["alexnet_imagenet", "vgg11_imagenet"])
def test_old_checkpoints_of_paddlepaddle_fit_and_their_dropout_is_in_the_kernels(name, monkeypatch):
    spec = finding.spec(name).for_weights("paddle_static")
    arrays = {
        key: np.broadcast_to(np.float32(0.5), shape) for key, shape in static_names(name).items()
    }
    monkeypatch.setattr(native, "_read", lambda *_: Checkpoint(arrays, "paddle"))

    built = native.build(spec, weights="imagenet", height=224, width=224)

    kernels = [built.head.get_layer(key).kernel for key in ("pre_logits.fc1", "pre_logits.fc2")]
    halves = [float(kernel[0, 0, 0, 0]) for kernel in kernels]
    last = float(built.head.get_layer("head.fc").kernel[0, 0])
    in_front = name.startswith("alexnet")
    assert [*halves, last] == ([0.25, 0.25, 0.5] if in_front else [0.5, 0.25, 0.25])
