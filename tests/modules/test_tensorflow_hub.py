"""SavedModels of every kind, drawn here, as backbones that train, freeze and travel."""

import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.errors import (
    ArchiveError,
    BundleError,
    ConfigError,
    UnknownNameError,
    UnsafeCheckpointError,
)
from hubcls.modules.module import Module
from hubcls.modules.sources import tensorflow_hub
from hubcls.modules.sources.saved_model_layer import load_model
from hubcls.modules.spec import InputRule

SIZE = 24
KINDS = ("reusable", "signature_only", "keras_export", "keras_saved")


class Reusable(tf.Module):
    """TensorFlow Hub's reusable interface: called with `training`, with its own losses."""

    def __init__(self):
        super().__init__()
        kernel = tf.random.stateless_normal([3, 3, 3, 4], seed=[1, 2], stddev=0.3)
        self.kernel = tf.Variable(kernel, name="conv/kernel")
        self.bias = tf.Variable(tf.fill([4], 0.1), name="conv/bias")
        self.moving_mean = tf.Variable(tf.zeros([4]), trainable=False, name="norm/moving_mean")
        self.regularization_losses = [self._weight_decay]

    @tf.function
    def __call__(self, images, training=False):
        features = tf.nn.conv2d(images, self.kernel, 2, "SAME") + self.bias
        mean = tf.reduce_mean(features, [0, 1, 2]) if training else self.moving_mean
        if training:
            self.moving_mean.assign(0.9 * self.moving_mean + 0.1 * mean)
        return tf.reduce_mean(tf.nn.relu(features - mean + 0.5), [1, 2])

    @tf.function(input_signature=[])
    def _weight_decay(self):
        return 7.0 * tf.reduce_sum(self.kernel**2)


class SignatureOnly(tf.Module):
    """A model that can be called by its signature alone; 0–1 floats of any size in."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 4], [3, 4]), name="kernel")
        self.scale = tf.Variable(2.0, trainable=False, name="scale")

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def features(self, images):
        maps = tf.nn.relu(tf.nn.conv2d(images, self.kernel, 2, "SAME")) * self.scale
        return {"feature_vector": tf.reduce_mean(maps, [1, 2]), "maps": maps}


def network():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )


def write(kind, folder):
    keras.utils.set_random_seed(5)
    if kind == "reusable":
        module = Reusable()
        for training in (True, False):
            images = tf.TensorSpec([None, SIZE, SIZE, 3])
            module.__call__.get_concrete_function(images, training=training)
        tf.saved_model.save(module, folder)
    elif kind == "signature_only":
        module = SignatureOnly()
        tf.saved_model.save(module, folder, signatures=module.features)
    elif kind == "keras_export":
        network().export(folder, verbose=False)
    else:
        tf.saved_model.save(network(), folder)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("saved_models")
    return {kind: write(kind, str(root / kind)) for kind in KINDS}


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HUBCLS_OFFLINE", raising=False)
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3)).astype("float32")


@pytest.fixture
def labels():
    return np.arange(8) % 3


def built(folder, **options):
    spec = tensorflow_hub.spec_of(folder, **options)
    height = width = SIZE
    return tensorflow_hub.build(spec, weights="imagenet", height=height, width=width)


def classifier(backbone, *, is_trainable=True, optimizer="adam"):
    layer = backbone.get_layer("saved_model")
    layer.trainable = is_trainable
    features = backbone.output
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(backbone.input, keras.layers.Dense(3, name="logits")(features))
    compile_(model, optimizer)
    return model


def compile_(model, optimizer="adam"):
    # Eagerly: one batch is trained, and tracing would take longer.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, run_eagerly=True)


def values(variables):
    return [variable.numpy().copy() for variable in variables]


def are_changed(variables, before):
    return [bool(np.any(one.numpy() != old)) for one, old in zip(variables, before, strict=True)]


@pytest.mark.parametrize("kind", KINDS)
def test_output_is_the_saved_models_on_pixels_scaled_to_one(written, images, kind):
    loaded = tf.saved_model.load(written[kind])
    function = {
        "reusable": loaded,
        "signature_only": lambda x: loaded.signatures["serving_default"](x)["feature_vector"],
        "keras_export": getattr(loaded, "serve", None),
        "keras_saved": lambda x: loaded.signatures["serving_default"](x)["output_0"],
    }[kind]

    backbone = built(written[kind]).backbone

    np.testing.assert_allclose(backbone(images), function(tf.constant(images / 255)), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_fine_tuning_changes_exactly_the_trainable_variables(written, images, labels, kind):
    model = classifier(built(written[kind]).backbone)
    layer = model.get_layer("saved_model")
    trainable, frozen = values(layer.trainable_weights), values(layer.non_trainable_weights)

    model.fit(images, labels, verbose=0)

    assert len(trainable) == {"reusable": 2, "signature_only": 1}.get(kind, 4)
    assert all(are_changed(layer.trainable_weights, trainable))
    assert any(are_changed(layer.non_trainable_weights, frozen)) == (kind == "reusable")


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_nothing_changes_and_opened_again_it_trains(written, images, labels, kind):
    model = classifier(built(written[kind]).backbone, is_trainable=False)
    layer = model.get_layer("saved_model")
    before = values(layer.weights)
    model.fit(images, labels, verbose=0)
    changed_while_frozen = any(are_changed(layer.weights, before))

    layer.trainable = True
    compile_(model)
    model.fit(images, labels, verbose=0)

    assert not changed_while_frozen
    assert all(are_changed(layer.trainable_weights, before[: len(layer.trainable_weights)]))


def test_a_frozen_layer_that_is_built_again_is_frozen(written):
    backbone = built(written["reusable"]).backbone
    backbone.get_layer("saved_model").trainable = False

    again = keras.Model.from_config(backbone.get_config())

    assert again.trainable_variables == []


@pytest.mark.parametrize("kind", KINDS)
def test_saved_classifier_loads_when_the_folder_is_gone(tmp_path, images, labels, kind):
    folder = write(kind, str(tmp_path / "original"))
    model = classifier(built(folder).backbone)
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "classifier.keras")
    shutil.rmtree(folder)

    loaded = load_model(tmp_path / "classifier.keras")

    np.testing.assert_array_equal(loaded(images), model(images))
    loaded.fit(images, labels, verbose=0)
    assert np.abs(loaded(images) - model(images)).max() > 0


def test_classifier_loaded_from_a_copy_can_be_rebuilt_and_saved_again(tmp_path, images):
    folder = write("reusable", str(tmp_path / "original"))
    model = classifier(built(folder).backbone)
    model.save(tmp_path / "first.keras")
    shutil.rmtree(folder)
    loaded = load_model(tmp_path / "first.keras")

    rebuilt = keras.Model.from_config(loaded.get_config())
    rebuilt.set_weights(loaded.get_weights())
    rebuilt.save(tmp_path / "second.keras")

    np.testing.assert_array_equal(load_model(tmp_path / "second.keras")(images), model(images))


def test_without_load_model_a_lost_folder_is_named(tmp_path):
    folder = write("reusable", str(tmp_path / "original"))
    classifier(built(folder).backbone).save(tmp_path / "classifier.keras")
    shutil.rmtree(folder)

    with pytest.raises(BundleError, match=r"original is gone[\s\S]*load_model"):
        keras.saving.load_model(tmp_path / "classifier.keras")


def test_folder_with_other_contents_is_not_taken_for_the_saved_one(tmp_path):
    folder = write("reusable", str(tmp_path / "original"))
    config = built(folder).backbone.get_config()
    shutil.rmtree(folder)
    write("signature_only", folder)

    with pytest.raises(BundleError, match="has other contents now"):
        keras.Model.from_config(config)


@pytest.mark.parametrize(("entry", "message"), [("../evil", "leave the folder"), (None, "bytes")])
def test_tampered_copy_in_a_keras_file_is_refused(written, tmp_path, entry, message):
    whole = tmp_path / "classifier.keras"
    classifier(built(written["reusable"]).backbone).save(whole)
    tampered = tmp_path / "tampered.keras"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(tampered, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if "savedmodel-" in name:
                inner = tmp_path / "inner.zip"
                inner.write_bytes(content)
                with zipfile.ZipFile(inner, "a") as archive:
                    archive.writestr(entry or "variables/more", b"x")
                content = inner.read_bytes()
            target.writestr(name, content)

    with pytest.raises(ArchiveError, match=message):
        load_model(tampered)

    assert not (tmp_path / "home" / "cache" / "evil").exists()


def test_regularization_losses_enter_the_loss_only_while_training(written, images, labels):
    layer = built(written["reusable"]).backbone.get_layer("saved_model")
    kernel = next(weight for weight in layer.weights if weight.name == "kernel").numpy()

    layer(images / 255, training=True)
    while_training = [float(loss) for loss in layer.losses]
    layer(images / 255, training=False)

    assert while_training == pytest.approx([7 * np.sum(kernel**2)])
    assert layer.losses == []


def test_variables_keep_their_names_so_that_rules_by_name_find_them(written):
    layer = built(written["reusable"]).backbone.get_layer("saved_model")

    assert [weight.path for weight in layer.weights] == [
        "saved_model/conv/kernel",
        "saved_model/conv/bias",
        "saved_model/norm/moving_mean",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_feeds_the_module_float32(written, images, labels, kind):
    float32 = built(written[kind]).backbone
    config = float32.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "SavedModelLayer":
            layer["config"]["dtype"]["config"] = {"name": "mixed_bfloat16"}

    mixed = keras.Model.from_config(config)

    assert mixed.output.dtype == "bfloat16"
    assert all(weight.dtype == "float32" for weight in mixed.weights)
    np.testing.assert_allclose(
        tf.cast(mixed(images), "float32"), float32(images), rtol=2**-7, atol=1e-6
    )
    classifier(mixed).fit(images, labels, verbose=0)


def test_input_size_is_the_signatures_where_it_says_one(written):
    fixed = tensorflow_hub.spec_of(written["reusable"]).preprocessing
    free = tensorflow_hub.spec_of(written["signature_only"]).preprocessing

    assert (fixed.height, fixed.width) == (SIZE, SIZE)
    assert (free.height, free.width) == (224, 224)
    assert (free.mean, free.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_another_size_than_the_modules_is_refused(written):
    spec = tensorflow_hub.spec_of(written["reusable"])

    with pytest.raises(ConfigError, match=r"shape\s+\[None, 24, 24, 3\], not"):
        tensorflow_hub.build(spec, weights="imagenet", height=32, width=32)


def test_output_is_chosen_by_key(written, images):
    backbone = built(written["signature_only"], output_key="maps").backbone

    assert backbone.output.shape == (None, SIZE // 2, SIZE // 2, 4)


@pytest.mark.parametrize("option", ["signature", "output_key"])
def test_wrong_choice_lists_the_right_ones(written, option):
    with pytest.raises(UnknownNameError, match=r"serving_default|feature_vector"):
        tensorflow_hub.spec_of(written["signature_only"], **{option: "embedding"})


def test_unclear_output_lists_the_choices(tmp_path):
    class Pair(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
        def call(self, images):
            return {"left": images[:, 0, 0], "right": images[:, 0, 1]}

    module = Pair()
    tf.saved_model.save(module, str(tmp_path / "pair"), signatures=module.call)

    with pytest.raises(ConfigError, match=r"left, right[\s\S]*output_key="):
        tensorflow_hub.spec_of(str(tmp_path / "pair"))


def test_model_without_an_image_input_is_refused(tmp_path):
    class Text(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def call(self, sentences):
            return tf.strings.length(sentences)

    module = Text()
    tf.saved_model.save(module, str(tmp_path / "text"), signatures=module.call)

    with pytest.raises(ConfigError, match="does not take one batch of images"):
        tensorflow_hub.spec_of(str(tmp_path / "text"))


def test_model_that_reads_files_is_refused(tmp_path):
    class Reading(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
        def call(self, images):
            length = tf.strings.length(tf.io.read_file("/etc/hostname"))
            return images[:, 0, 0] + tf.cast(length, tf.float32)

    module = Reading()
    tf.saved_model.save(module, str(tmp_path / "reading"), signatures=module.call)

    with pytest.raises(UnsafeCheckpointError, match="ReadFile"):
        tensorflow_hub.spec_of(str(tmp_path / "reading"))


def test_random_weights_are_refused(written):
    spec = tensorflow_hub.spec_of(written["reusable"])

    with pytest.raises(ConfigError, match="only the weights that it was saved with"):
        tensorflow_hub.build(spec, weights=None, height=SIZE, width=SIZE)


def test_module_takes_a_handle_or_a_directory(written, images):
    by_handle = Module(handle=written["reusable"])
    by_directory = Module(directory=written["reusable"])

    pixels = list(images.astype("uint8"))
    assert by_handle.features(pixels).shape == (8, 4)
    np.testing.assert_array_equal(by_handle.features(pixels), by_directory.features(pixels))
    assert by_handle.get_expected_image_width() == SIZE
    assert by_handle.get_pretrained_images_std().tolist() == [[1, 1, 1]]
    assert [group.layers for group in by_handle.layer_groups] == [("saved_model",)]


def test_rule_says_how_a_module_wants_its_pixels(written, images):
    rule = InputRule(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    module = Module(handle=written["reusable"], rule=rule)

    expected = tf.saved_model.load(written["reusable"])(tf.constant(images / 127.5 - 1))
    np.testing.assert_allclose(module.backbone(images), expected, atol=1e-6)


@pytest.mark.slow  # imports Keras 2
def test_model_saved_by_keras_2_trains_in_training_mode(tmp_path, images, labels):
    keras_2 = pytest.importorskip("tf_keras")
    model = keras_2.Sequential(
        [
            keras_2.layers.Input((SIZE, SIZE, 3)),
            keras_2.layers.Conv2D(4, 3),
            keras_2.layers.BatchNormalization(),
        ]
    )
    model.save(tmp_path / "keras_2", save_format="tf")
    backbone = Module(handle=str(tmp_path / "keras_2")).backbone
    weights = backbone.get_layer("saved_model").weights
    before = values(weights)
    np.testing.assert_allclose(backbone(images), model(images / 255), atol=1e-6)

    classifier(backbone).fit(images, labels, verbose=0)

    assert all(are_changed(weights, before))


def test_module_of_tensorflow_1_trains(tmp_path, images, labels):
    folder = write_tensorflow_1(tmp_path / "tensorflow_1")
    backbone = Module(handle=str(folder), input_size=SIZE).backbone
    weights = backbone.get_layer("saved_model").weights
    before = values(weights)

    classifier(backbone).fit(images, labels, verbose=0)

    assert [weight.path for weight in weights] == ["saved_model/dense/kernel"]
    assert all(are_changed(weights, before))


def write_tensorflow_1(folder):
    """A module in TensorFlow Hub's first format: its graph carries no tags."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], name="images")
        kernel = v1.get_variable("dense/kernel", [3, 5])
        features = tf.matmul(tf.reduce_mean(images, [1, 2]), kernel)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"images": images}, {"default": features})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], {"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder


def test_every_weight_is_in_the_one_group(written):
    both = built(written["reusable"])
    grouped = {name for group in both.groups for name in group.layers}

    assert {layer.name for layer in both.backbone.layers if layer.weights} == grouped


@pytest.mark.slow
def test_two_replicas_train_like_one_device(written):
    script = REPLICAS.format(folder=written["signature_only"], size=SIZE)

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) < 1e-5


# Logical devices are made before TensorFlow starts, so this runs in a process of its own.
REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from hubcls.modules.sources import tensorflow_hub

def trained(strategy):
    keras.utils.set_random_seed(0)
    spec = tensorflow_hub.spec_of("{folder}")
    with strategy.scope():
        built = tensorflow_hub.build(spec, weights="imagenet", height={size}, width={size})
        backbone = keras.Model.from_config(built.backbone.get_config())
        logits = keras.layers.Dense(3)(backbone.output)
        model = keras.Model(backbone.input, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    images = np.random.default_rng(0).integers(0, 256, (16, {size}, {size}, 3))
    model.fit(images.astype("float32"), np.arange(16) % 3, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights()

one = trained(tf.distribute.OneDeviceStrategy("/cpu:0"))
two = trained(tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]))
print(max(np.abs(a - b).max() for a, b in zip(one, two, strict=True)))
"""
