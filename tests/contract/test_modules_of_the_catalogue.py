"""What holds for every module that can be built without a download.

One small module a family runs by default, all others under `slow`; so do ConvNeXt, DenseNet,
Inception-ResNet and NASNet, which take longest. Of our own networks, which
tests/golden/test_parity.py builds one by one, the quickest of each family stands for all.
"""

import keras
import numpy as np
import pytest
from parity_cases import cases

from hubcls.modules import finding
from hubcls.modules.module import Module
from hubcls.modules.normalization import InputNormalization

# Above every network's smallest; the networks are the same at every size.
SIZE = 96
SIZES_OF_OURS = {case.module: tuple(case.size) for _, case in cases() if case.is_quick}
SIZES_OF_OURS["resnet20_cifar"] = (28, 28)  # no library has it: tests/backbones/test_residual.py
SMALLEST = {
    "efficientnet_v2_b0_imagenet",
    "efficientnetb0_imagenet",
    "inceptionv3_imagenet",
    "mobilenet_v1_imagenet",
    "mobilenet_v2_imagenet",
    "mobilenet_v3_small_imagenet",
    "resnet20_cifar",
    "resnet_50_imagenet",
    "resnet_v2_50_imagenet",
    "vgg16_imagenet",
    "xception_imagenet",
}


def buildable():
    """Names and sizes, the smallest that each network takes where it is our own."""
    sizes = {
        "keras_applications": dict.fromkeys(finding.names(), SIZE),
        "native": SIZES_OF_OURS,
    }
    for spec in finding.specs():
        if spec.name in sizes.get(spec.source, ()):
            marks = () if spec.name in SMALLEST else (pytest.mark.slow,)
            yield pytest.param(
                (spec.name, sizes[spec.source][spec.name]), marks=marks, id=spec.name
            )


@pytest.fixture(scope="module", params=buildable())
def module(request):
    """One module at a time, its weights drawn so that every layer shows."""
    keras.utils.set_random_seed(0)
    name, size = request.param
    built = Module(name=name, weights=None, input_size=size)
    stir_statistics(built.backbone)
    built.photos = photos(built)
    built.answers = built.backbone(built.photos)
    yield built
    keras.utils.clear_session()


def stir_statistics(model, seed=0):
    """Give BatchNorm what training gives it: the statistics of images, and other gains than 1.

    Left at 0 and 1 they hide errors; drawn blindly they drown the image in some networks and
    blow rounding up a thousandfold in others.
    """
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (4, *model.input_shape[1:]), dtype=np.uint8)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum
        shape = layer.moving_mean.shape
        deviation = np.sqrt(layer.moving_variance)
        layer.moving_mean.assign_add(random.normal(0, 0.1, shape) * deviation)
        layer.moving_variance.assign(layer.moving_variance * random.uniform(0.9, 1.2, shape))
        layer.beta.assign(random.normal(0, 0.1, shape))
        if layer.gamma is not None:
            layer.gamma.assign(random.uniform(0.7, 1.05, shape))


def photos(module):
    """One image and its negative, uint8 [2, H, W, 3]."""
    rule = module.preprocessing
    random = np.random.default_rng(1)
    image = random.integers(0, 256, (rule.height, rule.width, 3), dtype=np.uint8)
    return np.stack([image, 255 - image])


def relative_difference(found, expected):
    found, expected = np.asarray(found), np.asarray(expected)
    assert np.abs(expected).max() > 0
    return np.abs(found - expected).max() / np.abs(expected).max()


def keras_own(module):
    """The module's network as keras.applications offers it, with the module's weights."""
    spec = module.spec
    builder = getattr(keras.applications, spec.builder)
    network = builder(
        weights=None,
        include_top=False,
        input_shape=module.backbone.input_shape[1:],
        pooling=spec.parameters.get("pooling"),
    )
    values = module.backbone.get_weights()
    if spec.family == "efficientnet":
        # The layer that hubcls replaces; its statistics are (mean, variance, count).
        mean, std = np.array(spec.preprocessing.mean), np.array(spec.preprocessing.std)
        values = [mean, std**2, np.array(0), *values]
    network.set_weights(values)
    for layer in network.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return network


def keras_own_preprocessing(module):
    name = getattr(keras.applications, module.spec.builder).__module__.rpartition(".")[2]
    return getattr(keras.applications, name).preprocess_input


def test_module_equals_keras_own_preprocessing_and_network(module):
    if module.spec.source != "keras_applications":
        pytest.skip("held to its own reference by a golden file")
    pixels = keras_own_preprocessing(module)(module.photos.astype(np.float32))

    expected = keras_own(module)(pixels)

    assert relative_difference(module.answers, expected) <= 1e-5
    assert relative_difference(expected[0], expected[1]) > 1e-3, "the image must matter"


def test_every_layer_with_weights_is_in_exactly_one_group(module):
    grouped = [name for group in module.layer_groups for name in group.layers]

    assert sorted(grouped) == sorted(
        layer.name for layer in module.backbone.layers if layer.weights
    )
    assert len(grouped) == len(set(grouped))


def test_groups_go_from_the_stem_to_the_last_stage(module):
    groups = module.layer_groups
    places = {layer.name: place for place, layer in enumerate(module.backbone.layers)}
    starts = [min(places[name] for name in group.layers) for group in groups]

    assert len(groups) >= 3
    assert groups[0].name == "stem"
    assert starts == sorted(starts)
    assert [list(group.layers) for group in groups] == [
        sorted(group.layers, key=places.__getitem__) for group in groups
    ]


def test_backbone_starts_at_the_image_and_normalises_first(module):
    backbone = module.backbone
    rule = module.preprocessing

    assert backbone.input_shape == (None, rule.height, rule.width, 3)
    assert backbone.layers[0].name == "image"
    assert isinstance(backbone.layers[1], InputNormalization)
    assert not any(
        isinstance(layer, (keras.layers.Rescaling, keras.layers.Normalization))
        for layer in backbone.layers
    )


def test_names_of_layers_are_unique(module):
    names = [operation.name for operation in module.backbone.operations]

    assert len(names) == len(set(names))


def test_catalogue_counts_features_and_parameters(module):
    counted = (module.backbone.output.shape[-1], module.backbone.count_params())

    assert counted == (module.spec.num_features, module.spec.num_parameters)


def test_backbone_rebuilt_from_its_configuration_computes_the_same(module):
    rebuilt = keras.Model.from_config(module.backbone.get_config())
    rebuilt.set_weights(module.backbone.get_weights())

    assert relative_difference(rebuilt(module.photos), module.answers) <= 1e-6
