"""KerasHub's presets, from a folder and from KaggleHub's cache, against KerasHub itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from hubcls.classification.rebuilding import rebuilt
from hubcls.errors import (
    ConfigError,
    DownloadError,
    MissingExtraError,
    OfflineError,
    WeightsError,
)
from hubcls.modules import finding
from hubcls.modules.module import Module
from hubcls.modules.spec import InputRule

keras_hub = pytest.importorskip("keras_hub")

IMAGENET = {"mean": np.array([0.485, 0.456, 0.406]), "std": np.array([0.229, 0.224, 0.225])}
CATALOGUED = [spec for spec in finding.specs() if spec.source == "keras_hub"]
EDGE_PRESETS = {
    "efficientnet_el_ra_imagenet",
    "efficientnet_em_ra2_imagenet",
    "efficientnet_es_ra_imagenet",
}


def resnet():
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )


def written(backbone, folder, *, num_classes=1000, size=32, **converter):
    """A preset of a tiny network; the classifier that was saved."""
    family = type(backbone).__name__.removesuffix("Backbone")
    classes = {
        part: getattr(keras_hub.models, f"{family}ImageClassifier{part}")
        for part in ("", "Preprocessor")
    }
    converter_class = getattr(keras_hub.layers, f"{family}ImageConverter")
    options = {"scale": 1 / 255 / IMAGENET["std"], "offset": -IMAGENET["mean"] / IMAGENET["std"]}
    options = {name: list(value) for name, value in options.items()} | converter
    preprocessor = classes["Preprocessor"](converter_class(image_size=(size, size), **options))
    stir(backbone)
    classifier = classes[""](backbone=backbone, num_classes=num_classes, preprocessor=preprocessor)
    classifier.save_to_preset(str(folder))
    return classifier


def weighted(module):
    return sorted(layer.name for layer in module.backbone.layers if layer.weights)


def stir(model):
    """Fresh weights hide errors: biases are 0 and statistics 0 and 1."""
    random = np.random.default_rng(3)
    for weight in model.weights:
        if len(weight.shape) == 1 and weight.dtype == "float32":
            weight.assign(random.uniform(0.5, 1.0, weight.shape))


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny_resnet"
    keras.utils.set_random_seed(0)
    return folder, written(resnet(), folder)


@pytest.fixture(autouse=True)
def _no_kaggle(tmp_path, monkeypatch):
    """An empty cache of KaggleHub, and nobody who answers in Kaggle's place."""
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("HUBCLS_OFFLINE", raising=False)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def fill_cache(preset_folder, spec, names=None):
    """KaggleHub's cache as a download of these files leaves it."""
    import kagglehub.cache
    import kagglehub.handle

    handle = kagglehub.handle.parse_model_handle(spec.weights.urls[0].removeprefix("kaggle://"))
    kaggle = kagglehub.cache.Cache()
    shutil.copytree(preset_folder, kaggle.get_path(handle))
    for name in names or [path.name for path in Path(preset_folder).iterdir()]:
        kaggle.mark_as_complete(handle, name)


def test_catalogue_lists_every_image_classifier_preset_of_kerashub():
    presets = keras_hub.models.ImageClassifier.presets

    assert {spec.builder for spec in CATALOGUED} >= set(presets)
    assert len(CATALOGUED) == 87


def test_catalogue_has_kerashubs_handles():
    presets = keras_hub.models.ImageClassifier.presets
    known = {spec.builder: spec.weights.urls[0] for spec in CATALOGUED if spec.builder in presets}

    assert known == {name: presets[name]["kaggle_handle"] for name in known}


def test_preset_names_stand_for_kerashubs_weights_where_no_other_module_has_them():
    taken = {spec.name for spec in finding.specs() if spec.source != "keras_hub"}

    for spec in CATALOGUED:
        expected = finding.spec(spec.builder).source
        assert (expected == "keras_hub") == (spec.builder not in taken)


def test_folder_gives_kerashubs_own_features_and_logits(preset, images):
    folder, classifier = preset
    pixels = classifier.preprocessor(images)

    module = Module(directory=folder)
    features = module.backbone(images)

    np.testing.assert_allclose(features, classifier.backbone(pixels), rtol=1e-5, atol=1e-5)
    logits = module._built.head(features)
    np.testing.assert_allclose(logits, classifier(pixels), rtol=1e-5, atol=1e-5)


def test_folders_converter_becomes_the_modules_preprocessing(preset):
    module = Module(directory=preset[0])

    np.testing.assert_allclose(module.get_pretrained_images_mean(), [IMAGENET["mean"]], rtol=1e-6)
    np.testing.assert_allclose(module.get_pretrained_images_std(), [IMAGENET["std"]], rtol=1e-6)
    assert module.get_expected_image_width() == 32
    assert module.preprocessing.resize == "center_crop"
    assert module.preprocessing.crop_fraction == 1.0


@pytest.mark.parametrize(
    ("converter", "mean", "std"),
    [
        ({"scale": 1 / 127.5, "offset": -1.0}, 0.5, 0.5),
        ({"scale": 1 / 255, "offset": None}, 0.0, 1.0),
        ({"scale": None, "offset": None}, 0.0, 1 / 255),
    ],
)
def test_single_scales_and_offsets_hold_for_every_channel(tmp_path, images, converter, mean, std):
    classifier = written(resnet(), tmp_path / "preset", **converter)

    module = Module(directory=tmp_path / "preset")

    np.testing.assert_allclose(module.preprocessing.mean, [mean] * 3, atol=1e-9)
    np.testing.assert_allclose(module.preprocessing.std, [std] * 3)
    expected = classifier.backbone(classifier.preprocessor(images))
    np.testing.assert_allclose(module.backbone(images), expected, rtol=1e-5, atol=1e-5)


def test_module_fine_tunes(preset, images):
    module = Module(directory=preset[0])
    features = keras.layers.GlobalAveragePooling2D()(module.backbone.output)
    model = keras.Model(module.backbone.input, keras.layers.Dense(3)(features))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [weight.numpy().copy() for weight in module.backbone.trainable_weights]

    model.fit(images.astype("float32"), np.array([0, 1, 2, 0]), verbose=0)

    after = module.backbone.trainable_weights
    assert all(np.any(old != new.numpy()) for old, new in zip(before, after, strict=True))


def test_groups_hold_every_layer_with_weights_once(preset):
    module = Module(directory=preset[0])
    grouped = [name for group in module.layer_groups for name in group.layers]

    assert len(module.layer_groups) >= 3
    assert sorted(grouped) == weighted(module)


def test_random_weights_keep_the_architecture_alone(preset, images):
    random = Module(directory=preset[0], weights=None)
    trained = Module(directory=preset[0])

    shapes = [[weight.shape for weight in one.backbone.weights] for one in (random, trained)]
    assert shapes[0] == shapes[1]
    assert np.abs(random.backbone(images) - trained.backbone(images)).max() > 1e-3
    assert random._built.head is None


def test_another_input_size_takes_the_same_weights(preset):
    images = np.zeros((1, 64, 48, 3), dtype=np.uint8)

    module = Module(directory=preset[0], input_size=(64, 48))

    assert module.backbone(images).shape == (1, 8, 6, 64)


def test_names_are_the_same_on_every_call(preset):
    first, second = (Module(directory=preset[0]).backbone for _ in range(2))

    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def networks():
    models = keras_hub.models
    yield "vgg", lambda: models.VGGBackbone([1, 1], [8, 16])
    yield "densenet", lambda: models.DenseNetBackbone([2, 2], compression_ratio=0.5, growth_rate=8)
    yield (
        "resnet_vd",
        lambda: models.ResNetBackbone(
            [8, 8, 64], [3, 3, 3], [64, 64], [1, 1], [1, 2], "basic_block_vd"
        ),
    )
    yield (
        "vit",
        lambda: models.ViTBackbone((32, 32, 3), 8, 2, num_heads=2, hidden_dim=16, mlp_dim=32),
    )
    yield (
        "deit",
        lambda: models.DeiTBackbone(
            (32, 32, 3), 8, 2, num_heads=2, hidden_dim=16, intermediate_dim=32
        ),
    )
    yield (
        "swin",
        lambda: models.SwinTransformerBackbone((32, 32, 3), 8, (2, 2), (1, 2), window_size=4),
    )
    yield "mit", mix_transformer
    yield "hgnetv2", hgnet
    yield "efficientnet", efficientnet
    yield "mobilenet", mobilenet


def mix_transformer():
    return keras_hub.models.MiTBackbone(
        layerwise_depths=[1, 1],
        num_layers=2,
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        image_shape=(32, 32, 3),
        hidden_dims=[8, 16],
    )


def hgnet():
    return keras_hub.models.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=8,
        hidden_sizes=[16, 32],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=True,
        stackwise_stage_filters=[(8, 8, 16, 1, 2, 3), (16, 8, 32, 1, 2, 3)],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, True],
        image_shape=(32, 32, 3),
    )


def efficientnet():
    return keras_hub.models.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0] * 2,
        stackwise_depth_coefficients=[1.0] * 2,
        stackwise_kernel_sizes=[3, 3],
        stackwise_num_repeats=[1, 2],
        stackwise_input_filters=[8, 8],
        stackwise_output_filters=[8, 16],
        stackwise_expansion_ratios=[1, 4],
        stackwise_strides=[1, 2],
        stackwise_squeeze_and_excite_ratios=[0.25, 0.25],
        stackwise_block_types=["v1", "fused"],
        stackwise_force_input_filters=[0, 0],
        stackwise_nores_option=[False, False],
        include_stem_padding=True,
        use_depth_divisor_as_min_depth=True,
        stem_conv_padding="valid",
    )


def mobilenet():
    return keras_hub.models.MobileNetBackbone(
        stackwise_expansion=[[8, 16], [16]],
        stackwise_num_blocks=[2, 1],
        stackwise_num_filters=[[8, 8], [16]],
        stackwise_kernel_size=[[3, 3], [5]],
        stackwise_num_strides=[[2, 1], [2]],
        stackwise_se_ratio=[[None, 0.25], [0.25]],
        stackwise_activation=[["relu", "relu"], ["hard_swish"]],
        stackwise_padding=[[1, 1], [2]],
        output_num_filters=32,
        input_activation="hard_swish",
        output_activation="hard_swish",
        input_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        squeeze_and_excite=0.5,
        last_layer_filter=32,
    )


def kinds():
    for name, build in networks():
        marks = () if name in {"densenet", "vit", "hgnetv2"} else (pytest.mark.slow,)
        yield pytest.param(build, marks=marks, id=name)


@pytest.mark.parametrize("network", kinds())
def test_every_kind_of_network_is_kerashubs_own_and_can_be_rebuilt(tmp_path, images, network):
    size = 224 if network is dict(networks())["vgg"] else 32
    images = np.resize(images, (2, size, size, 3))
    classifier = written(network(), tmp_path / "preset", size=size)
    expected = classifier(classifier.preprocessor(images))

    module = Module(directory=tmp_path / "preset")
    logits = module._built.head(module.backbone(images))
    again = rebuilt(module.backbone, "float32")

    scale = np.abs(expected).max()
    assert np.abs(logits - expected).max() <= 1e-5 * scale
    np.testing.assert_array_equal(again(images), module.backbone(images))
    grouped = [name for group in module.layer_groups for name in group.layers]
    assert sorted(grouped) == weighted(module)
    rebuilt(module.backbone, "mixed_bfloat16")


@pytest.mark.slow  # starts TensorFlow once more
@pytest.mark.parametrize("name", ["vit", "efficientnet"])
def test_saved_backbone_loads_in_a_process_that_knows_nothing_of_kerashub(tmp_path, images, name):
    written(dict(networks())[name](), tmp_path / "preset")
    backbone = Module(directory=tmp_path / "preset").backbone
    backbone.save(tmp_path / "backbone.keras")
    np.save(tmp_path / "images.npy", images)

    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(tmp_path)], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), backbone(images))


LOADING = """
import pathlib, sys
import numpy as np
from hubcls.modules.sources.saved_model_layer import load_model
folder = pathlib.Path(sys.argv[1])
backbone = load_model(folder / "backbone.keras")
np.save(folder / "found.npy", np.asarray(backbone(np.load(folder / "images.npy"))))
"""


def test_transformer_of_another_size_is_refused(tmp_path):
    network = dict(networks())["vit"]
    written(network(), tmp_path / "preset")

    with pytest.raises(ConfigError, match="32 x 32 pixels only, not of 64 x 64"):
        _ = Module(directory=tmp_path / "preset", input_size=64).backbone


def test_head_for_other_classes_is_left_out(tmp_path, images):
    written(resnet(), tmp_path / "preset", num_classes=5)

    module = Module(directory=tmp_path / "preset")

    assert module._built.head is None
    assert module.features(list(images)).shape == (4, 64)


def test_folder_without_a_converter_needs_a_rule(tmp_path, images):
    resnet().save_to_preset(str(tmp_path / "preset"))

    with pytest.raises(ConfigError, match="rule="):
        Module(directory=tmp_path / "preset")

    rule = InputRule(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    module = Module(directory=tmp_path / "preset", rule=rule, input_size=32)
    assert module.features(list(images)).shape == (4, 64)


def test_folder_of_another_library_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"architectures": ["ViTModel"]}')

    with pytest.raises(ConfigError, match="no preset of KerasHub"):
        Module(directory=tmp_path)


def test_catalogued_preset_loads_offline_from_kagglehubs_cache(preset, images, monkeypatch):
    folder, classifier = preset
    fill_cache(folder, finding.spec("resnet_18_imagenet"))
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    module = Module("resnet_18_imagenet", input_size=32)

    expected = classifier.backbone(classifier.preprocessor(images))
    np.testing.assert_allclose(module.backbone(images), expected, rtol=1e-5, atol=1e-5)
    assert module._built.head is not None


def test_files_that_kagglehub_has_not_finished_are_not_used(preset, monkeypatch):
    finished = ["config.json", "model.weights.h5", "task.json"]
    fill_cache(preset[0], finding.spec("resnet_18_imagenet"), finished)
    fill_cache(preset[0], finding.spec("resnet_vd_18_imagenet"), ["config.json"])
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    assert Module("resnet_18_imagenet", input_size=32)._built.head is None
    with pytest.raises(OfflineError, match="not in KaggleHub's cache"):
        _ = Module("resnet_vd_18_imagenet").backbone


def test_random_weights_need_only_the_configuration(preset, monkeypatch):
    fill_cache(preset[0], finding.spec("resnet_18_imagenet"), ["config.json"])
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    module = Module("resnet_18_imagenet", weights=None, input_size=32)

    assert module.backbone.output.shape == (None, 4, 4, 64)


@pytest.mark.parametrize("weights", ["imagenet", None])
def test_without_kaggle_the_error_says_how_to_go_on(weights):
    with pytest.raises(DownloadError) as caught:
        _ = Module("resnet_18_imagenet", weights=weights).backbone

    for way in ("KAGGLEHUB_CACHE", "kaggle.com/models/keras/resnetv1", "weights=", "search resnet"):
        assert way in str(caught.value)


def test_offline_kaggle_is_not_asked(monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    with pytest.raises(OfflineError, match="HUBCLS_OFFLINE"):
        _ = Module("resnet_18_imagenet").backbone


def test_preset_folder_serves_as_weights_of_a_catalogued_module(preset, images):
    folder, classifier = preset

    module = Module("resnet_18_imagenet", weights=folder, input_size=32)

    expected = classifier.backbone(classifier.preprocessor(images))
    np.testing.assert_allclose(module.backbone(images), expected, rtol=1e-5, atol=1e-5)


def test_preset_that_contradicts_the_catalogue_is_refused(tmp_path):
    written(resnet(), tmp_path / "preset", scale=1 / 127.5, offset=-1.0)

    with pytest.raises(WeightsError, match=r"the catalogue says[\s\S]*Module\(directory="):
        _ = Module("resnet_18_imagenet", weights=tmp_path / "preset").backbone


@pytest.mark.parametrize("name", sorted(EDGE_PRESETS))
def test_names_whose_files_are_another_presets_are_refused(name):
    with pytest.raises(WeightsError, match="efficientnet_b1_ft_imagenet"):
        _ = Module(name).backbone


def test_missing_kerashub_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'hubcls\[keras-hub\]'"):
        _ = Module("resnet_18_imagenet").backbone
