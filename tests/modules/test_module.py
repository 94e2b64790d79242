"""`Module`: PaddleHub's getters, its context, ImageNet answers, and its errors."""

import dataclasses
import logging

import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image

import hubcls
from hubcls.errors import ConfigError, DataError, UnknownNameError
from hubcls.modules import finding
from hubcls.modules.module import module_of

LITE = "efficientnet_lite0_imagenet"
TINY = "mobilenet_v1_imagenet"


@pytest.fixture(scope="module")
def lite():
    return hubcls.Module(name=LITE)


@pytest.fixture(scope="module")
def tiny():
    return hubcls.Module(name=TINY, weights=None, input_size=32)


@pytest.fixture
def photos():
    return [skimage.data.chelsea(), skimage.data.coffee()]


def test_nothing_is_built_before_it_is_needed(monkeypatch):
    monkeypatch.setattr(keras, "Model", None)

    module = hubcls.Module(name=LITE)

    assert module.get_expected_image_width() == 224


def test_expected_size_is_width_and_height_of_the_input():
    module = hubcls.Module(name="resnet50", weights=None, input_size=(160, 192))

    assert (module.get_expected_image_height(), module.get_expected_image_width()) == (160, 192)
    assert module.name == "resnet_v2_50_imagenet"


def test_mean_and_std_are_rows_on_the_scale_from_0_to_1():
    module = hubcls.Module(name="densenet121_imagenet", weights=None)

    np.testing.assert_allclose(module.get_pretrained_images_mean(), [[0.485, 0.456, 0.406]])
    np.testing.assert_allclose(module.get_pretrained_images_std(), [[0.229, 0.224, 0.225]])


def test_means_of_a_network_that_reads_bgr_are_in_its_order():
    module = hubcls.Module(name="resnet_50_imagenet", weights=None)

    means = module.get_pretrained_images_mean() * 255

    np.testing.assert_allclose(means, [[103.939, 116.779, 123.68]], rtol=1e-6)
    assert module.preprocessing.channel_order == "BGR"


def test_photos_are_recognised(lite, photos):
    cat, cup = lite.classify(photos, top_k=3)

    assert {name for name, _ in cat} >= {"tiger cat", "Egyptian cat", "tabby"}
    assert cup[0][0] == "espresso"
    assert cup[0][1] > 0.9


def test_order_of_images_is_kept_over_batches(lite, photos):
    many = [photos[number % 2] for number in range(35)]

    found = [answer[0][0] for answer in lite.classify(many, top_k=1)]

    first, second = (answer[0][0] for answer in lite.classify(photos, top_k=1))
    assert found == [first if number % 2 == 0 else second for number in range(35)]


def test_paths_arrays_and_pillow_images_give_the_same_features(lite, photos, tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(photos[0]).save(path)

    features = lite.features([photos[0], Image.fromarray(photos[0]), path, str(path)])

    assert features.shape == (4, 1280)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, np.repeat(features[:1], 4, axis=0), atol=1e-5)


def test_features_are_the_average_of_the_feature_map(tiny):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    rule = tiny.preprocessing
    tiny.preprocessing = dataclasses.replace(rule, crop_fraction=1.0)

    features = tiny.features([image])

    tiny.preprocessing = rule
    expected = np.asarray(tiny.backbone(image[None])).mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_an_image_that_cannot_be_read_is_named(lite, tmp_path):
    path = tmp_path / "noise.jpg"
    path.write_bytes(b"noise")

    with pytest.raises(DataError, match=r"noise\.jpg"):
        lite.features([path])


@pytest.mark.parametrize("form", [np.asarray, Image.fromarray, lambda photo: photo[None]])
def test_one_image_may_stand_alone(tiny, photos, form):
    expected = tiny.features([photos[0]])

    np.testing.assert_array_equal(tiny.features(form(photos[0])), expected)


def test_one_path_may_stand_alone(tiny, photos, tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(photos[0]).save(path)

    np.testing.assert_array_equal(tiny.features(path), tiny.features([photos[0]]))
    np.testing.assert_array_equal(tiny.features(str(path)), tiny.features([photos[0]]))


def test_one_grey_array_is_one_image(tiny, photos):
    grey = photos[0][..., 0]

    features = tiny.features(grey)

    assert features.shape == (1, tiny.num_features)
    np.testing.assert_array_equal(features, tiny.features([grey]))


def test_an_array_of_images_is_as_many_images(tiny, photos):
    images = [photo[:224, :224] for photo in photos]

    np.testing.assert_array_equal(tiny.features(np.stack(images)), tiny.features(images))


def test_one_photo_is_recognised(lite, photos):
    (names,) = lite.classify(photos[1])

    assert names[0][0] == "espresso"


@pytest.mark.parametrize("images", [[], np.zeros((0, 8, 8, 3), np.uint8)])
def test_no_images_are_refused(lite, images):
    with pytest.raises(ConfigError, match="at least one path"):
        lite.classify(images)


def test_context_gives_paddlehub_s_names(lite, photos):
    inputs, outputs, model = lite.context(trainable=True)

    assert inputs["image"].shape == (None, 224, 224, 3)
    assert outputs["feature_map"].shape == (None, 1280)
    assert outputs["classification"].shape == (None, 1000)
    probabilities = model(np.stack([photos[0][:224, :224]]))["classification"]
    assert np.asarray(probabilities).sum() == pytest.approx(1, abs=1e-5)


def test_context_without_a_head_has_no_classification(tiny):
    _, outputs, _ = tiny.context()

    assert set(outputs) == {"feature_map"}


def test_context_can_freeze_the_backbone(tiny):
    tiny.context(trainable=False)
    frozen = len(tiny.backbone.trainable_weights)
    tiny.context(trainable=True)

    assert frozen == 0
    assert len(tiny.backbone.trainable_weights) > 0


def test_the_way_back_from_a_tensor_to_its_module(tiny):
    _, outputs, _ = tiny.context()
    hidden = keras.layers.Dense(8)(outputs["feature_map"])

    assert module_of(hidden) is tiny
    assert module_of(keras.Input((3,))) is None


def test_random_weights_have_no_imagenet_answers(tiny, photos):
    with pytest.raises(ConfigError, match="no classification head"):
        tiny.classify(photos)

    assert not tiny.is_pretrained


def test_weights_of_ones_own_are_loaded(tiny, tmp_path):
    tiny.backbone.save_weights(tmp_path / "own.weights.h5")

    module = hubcls.Module(name=TINY, weights=tmp_path / "own.weights.h5", input_size=32)

    assert module.is_pretrained
    for found, expected in zip(
        module.backbone.get_weights(), tiny.backbone.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_non_commercial_weights_are_announced(caplog, monkeypatch):
    restricted = dataclasses.replace(finding.spec(LITE), licence="CC-BY-NC-4.0")
    monkeypatch.setattr(finding, "spec", lambda name: restricted)

    with caplog.at_level(logging.WARNING, logger="hubcls"):
        assert hubcls.Module(name=LITE, input_size=32).backbone

    assert "CC-BY-NC-4.0: neither they nor what descends" in caplog.text


def test_a_description_fits_on_a_screen(lite):
    lines = lite.summary().splitlines()

    assert repr(lite) == "<Module efficientnet_lite0_imagenet: imagenet weights, 224x224>"
    assert len(lines) <= 10
    assert "3,413,024 parameters, 1,280 features" in lite.summary()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of name, directory, handle; it got none"),
        ({"name": LITE, "handle": "x"}, "it got name, handle"),
        (
            {"name": LITE, "signature": "serve"},
            "signature can only be given with a directory or a handle",
        ),
        ({"name": LITE, "input_size": 8}, "at least 32"),
        ({"name": LITE, "input_size": (64, 64, 3)}, "input_size must be"),
        ({"name": LITE, "input_size": 64.0}, "input_size must be"),
        ({"name": LITE, "version": "9.9"}, "exists in version 1.0.0, not 9.9"),
        ({"name": LITE, "weights": "imagnet"}, 'must be "imagenet", "google", "timm", None or'),
        ({"directory": "nowhere"}, "nowhere is no module"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message):
    with pytest.raises(ConfigError, match=message):
        hubcls.Module(**arguments)


def test_classify_gives_at_least_one_class(lite):
    with pytest.raises(ConfigError, match="top_k must be at least 1, not 0"):
        lite.classify(np.zeros((8, 8, 3), np.uint8), top_k=0)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match=LITE):
        hubcls.Module(name="efficientnet_lite_imagenet")
