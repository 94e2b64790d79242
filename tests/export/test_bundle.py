import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.classification.problem import SingleLabel
from hubcls.classification.rebuilding import rebuilt
from hubcls.errors import BundleError, ConfigError, MissingExtraError
from hubcls.export.bundle import load_bundle, save_bundle
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.saved_model_layer import SavedModelLayer

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def bundle_folder(tmp_path, classifier, problem, preprocessing):
    return save_bundle(
        tmp_path / "best_model",
        classifier,
        problem=problem,
        preprocessing=preprocessing,
        module_name="small",
        extra={"step": 12, "score": 0.5},
    )


def test_a_loaded_bundle_predicts_what_was_saved(bundle_folder, classifier, images):
    bundle = load_bundle(bundle_folder)

    np.testing.assert_array_equal(bundle.model(images), classifier(images))


def test_a_loaded_bundle_knows_every_fact(bundle_folder, problem, preprocessing):
    bundle = load_bundle(bundle_folder)

    assert bundle.class_names == problem.class_names
    assert bundle.problem == problem
    assert bundle.preprocessing == preprocessing
    assert bundle.module_name == "small"
    assert bundle.extra == {"step": 12, "score": 0.5}


def test_a_mixed_precision_classifier_is_saved_in_float32(
    tmp_path, classifier, problem, preprocessing, images
):
    mixed = rebuilt(classifier, "mixed_bfloat16")

    save_bundle(tmp_path, mixed, problem=problem, preprocessing=preprocessing, module_name="small")

    loaded = load_bundle(tmp_path).model
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    np.testing.assert_array_equal(loaded(images), classifier(images))


def test_the_optimizer_stays_out_of_a_bundle(tmp_path, classifier, problem, preprocessing):
    classifier.compile("adam", problem.loss())
    classifier.optimizer.build(classifier.trainable_variables)

    save_bundle(
        tmp_path, classifier, problem=problem, preprocessing=preprocessing, module_name="small"
    )

    assert not load_bundle(tmp_path).model.compiled
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert not json.loads(archive.read("config.json")).get("compile_config")


def test_a_later_save_replaces_the_whole_bundle(tmp_path, save):
    save(tmp_path / "best", 1.0)

    save(tmp_path / "best", 2.0)

    assert load_bundle(tmp_path / "best").model.get_layer("logits").bias[0] == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_save_that_fails_keeps_the_bundle_before_it(tmp_path, save, monkeypatch):
    save(tmp_path / "best", 1.0)
    monkeypatch.setattr(keras.Model, "save", full_disk)

    with pytest.raises(OSError, match="full"):
        save(tmp_path / "best", 2.0)

    assert load_bundle(tmp_path / "best").model.get_layer("logits").bias[0] == 1.0


def test_a_bundle_that_stepped_aside_when_its_replacement_was_killed_is_loaded(bundle_folder):
    bundle_folder.rename(bundle_folder.with_name(".best_model.old"))

    bundle = load_bundle(bundle_folder)

    assert bundle.module_name == "small"


def test_a_folder_without_a_bundle_is_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(BundleError, match=r"holds no bundle.*\n.*best_model/"):
        load_bundle(tmp_path)


def test_a_bundle_from_a_newer_hubcls_is_refused_with_advice(bundle_folder):
    change_facts(bundle_folder, format_version=99, hubcls_version="9.0")

    with pytest.raises(BundleError, match=r"format 99, written by hubcls 9\.0.*\n.*--upgrade"):
        load_bundle(bundle_folder)


def test_a_model_file_with_other_bytes_is_refused(bundle_folder):
    path = bundle_folder / "model.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(BundleError, match=r"model\.keras is damaged"):
        load_bundle(bundle_folder)


def test_a_missing_model_file_is_an_error(bundle_folder):
    (bundle_folder / "model.keras").unlink()

    with pytest.raises(BundleError, match=r"model\.keras is damaged"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format_version": 1}'])
def test_broken_facts_are_an_error_that_names_the_file(bundle_folder, content):
    (bundle_folder / "bundle.json").write_text(content)

    with pytest.raises(BundleError, match=r"bundle\.json is damaged"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize(
    "change",
    [
        {"problem": {"kind": "riddle"}},
        {"problem": {"kind": "single_label", "class_names": ["a", "b"]}},
        {"preprocessing": {"height": 8, "width": 8}},
        {"preprocessing": {"height": 16, "width": 24, "depth": 3}},
    ],
)
def test_facts_that_do_not_fit_the_model_are_an_error(bundle_folder, change):
    change_facts(bundle_folder, **change)

    with pytest.raises(BundleError, match=r"bundle\.json is damaged"):
        load_bundle(bundle_folder)


def test_saving_a_model_for_other_classes_is_refused(tmp_path, classifier, preprocessing):
    with pytest.raises(ConfigError, match="3 logits for 2 classes"):
        save_bundle(
            tmp_path / "best",
            classifier,
            problem=SingleLabel(("a", "b")),
            preprocessing=preprocessing,
            module_name="small",
        )

    assert not (tmp_path / "best").exists()


def test_a_lambda_in_a_model_is_not_run(tmp_path, problem, preprocessing):
    image = keras.Input((16, 24, 3))
    x = keras.layers.Lambda(lambda pixels: pixels, output_shape=(16, 24, 3))(image)
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    save_bundle(tmp_path, model, problem=problem, preprocessing=preprocessing, module_name="x")

    with pytest.raises(BundleError, match="lambda"):
        load_bundle(tmp_path)


def test_a_layer_nobody_registered_is_an_error_that_says_how_to_register_it(
    tmp_path, problem, preprocessing
):
    image = keras.Input((16, 24, 3))
    model = keras.Model(image, keras.layers.Dense(3)(Stranger()(image)))
    save_bundle(tmp_path, model, problem=problem, preprocessing=preprocessing, module_name="x")

    with pytest.raises(BundleError, match="import the file that registers them"):
        load_bundle(tmp_path)


def test_a_layer_of_a_missing_extra_names_the_extra(bundle_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.setattr(
        "hubcls.export.bundle._modules_in", lambda config: iter(["keras_hub.src.layers"])
    )

    with pytest.raises(MissingExtraError, match=r"hubcls\[keras-hub\]"):
        load_bundle(bundle_folder)


def test_a_saved_model_travels_inside_the_bundle(
    tmp_path, monkeypatch, problem, preprocessing, images
):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    classifier = classifier_on_saved_model(tmp_path / "saved_model", preprocessing)
    expected = classifier(images)
    folder = save_bundle(
        tmp_path / "best", classifier, problem=problem, preprocessing=preprocessing, module_name="x"
    )
    shutil.rmtree(tmp_path / "saved_model")

    bundle = load_bundle(folder)

    np.testing.assert_array_equal(bundle.model(images), expected)


@pytest.mark.slow
def test_killing_a_save_at_any_moment_keeps_a_bundle_that_loads(tmp_path, save):
    folder = save(tmp_path / "best", 0.0)

    for attempt in range(4):
        command = [sys.executable, "-c", SAVER, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
            process.stdout.readline()
            time.sleep(0.13 * attempt)
            process.kill()

        assert load_bundle(folder).module_name == "small"


SAVER = """
import sys
from pathlib import Path
from hubcls.export.bundle import load_bundle, save_bundle
folder = Path(sys.argv[1])
bundle = load_bundle(folder)
while True:
    save_bundle(folder, bundle.model, problem=bundle.problem,
                preprocessing=bundle.preprocessing, module_name="small")
    print("saved", flush=True)
"""


class Averages(tf.Module):
    """What TensorFlow Hub calls a reusable SavedModel: callable, with variables."""

    def __init__(self):
        self.scale = tf.Variable([0.5, 1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def __call__(self, images):
        return tf.reduce_mean(images, axis=(1, 2)) * self.scale


def classifier_on_saved_model(folder, preprocessing):
    tf.saved_model.save(Averages(), str(folder))
    image, x = normalised_input(preprocessing)
    features = SavedModelLayer(folder, name="saved_model")(x)
    return keras.Model(image, keras.layers.Dense(3, name="logits")(features))


class Stranger(keras.layers.Layer):
    def call(self, images):
        return keras.ops.mean(images, axis=(1, 2))


def change_facts(folder, **changes):
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def full_disk(model, path):
    raise OSError("the disk is full")
