import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hubcls
from hubcls.classification.classifier import build_classifier
from hubcls.classification.problem import SingleLabel
from hubcls.classification.rebuilding import compute_dtypes, rebuilt
from hubcls.datasets.base import Dataset, DatasetInfo
from hubcls.errors import BundleError, ConfigError
from hubcls.export.bundle import save_bundle
from hubcls.preprocessing import Preprocessing

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("across", "down", "diagonal")


@pytest.fixture
def classifier(backbone):
    model = build_classifier(backbone, num_outputs=3, seed=0)
    kernel = model.get_layer("logits").kernel
    kernel.assign(100 * kernel)
    return model


@pytest.fixture
def checkpoint_dir(tmp_path, classifier):
    """The folder of a finished run."""
    save_bundle(
        tmp_path / "ckpt" / "best_model",
        classifier,
        problem=SingleLabel(NAMES),
        preprocessing=Preprocessing(16, 16, resize="stretch"),
        module_name="small",
    )
    return tmp_path / "ckpt"


@pytest.fixture
def photos(tmp_path, dataset):
    folder = tmp_path / "photos"
    folder.mkdir()
    for place, image in enumerate(dataset.split("test").images[:5]):
        Image.fromarray(np.repeat(image, 3, axis=2)).resize((40, 40)).save(folder / f"{place}.jpg")
    return folder


def test_the_run_s_folder_and_its_best_model_load_alike(checkpoint_dir, photos):
    predictor = hubcls.load(checkpoint_dir)

    assert predictor.predict(photos) == hubcls.load(checkpoint_dir / "best_model").predict(photos)


def test_in_bfloat16_a_predictor_sees_nearly_the_same(checkpoint_dir, photos):
    full = hubcls.load(checkpoint_dir)
    half = hubcls.load(checkpoint_dir, mixed_precision="mixed_bfloat16")

    assert compute_dtypes(full.model) == {"float32"}
    assert compute_dtypes(half.model) == {"float32", "bfloat16"}
    for one, other in zip(half.predict(photos), full.predict(photos), strict=True):
        assert dict(one.top) == pytest.approx(dict(other.top), abs=0.1)


def test_a_precision_that_there_is_not_names_those_there_are(checkpoint_dir):
    with pytest.raises(ConfigError, match="float32, mixed_bfloat16, mixed_float16"):
        hubcls.load(checkpoint_dir, mixed_precision="int8")


def test_a_best_model_whose_replacement_was_killed_still_loads(checkpoint_dir):
    (checkpoint_dir / "best_model").rename(checkpoint_dir / ".best_model.old")

    assert hubcls.load(checkpoint_dir).module_name == "small"
    assert hubcls.load(checkpoint_dir / "best_model").module_name == "small"


def test_a_predictor_knows_its_facts(checkpoint_dir):
    predictor = hubcls.load(str(checkpoint_dir))

    assert predictor.class_names == NAMES
    assert predictor.module_name == "small"
    assert predictor.preprocessing == Preprocessing(16, 16, resize="stretch")


def test_a_fresh_process_predicts_the_same_with_nothing_but_the_folder(checkpoint_dir, photos):
    expected = [p.as_dict() for p in hubcls.load(checkpoint_dir).predict(photos, top_k=2)]

    printed = subprocess.run(
        [sys.executable, "-c", FRESH, str(checkpoint_dir), str(photos)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert json.loads(printed) == expected


FRESH = """
import json, sys
import hubcls
predictions = hubcls.load(sys.argv[1]).predict(sys.argv[2], top_k=2)
print(json.dumps([prediction.as_dict() for prediction in predictions]))
"""


def test_a_predictor_evaluates_a_data_set(checkpoint_dir, dataset, classifier):
    split = dataset.split("test")

    evaluation = hubcls.load(checkpoint_dir).evaluate(dataset, "test")

    logits = np.asarray(classifier(np.repeat(split.images, 3, axis=3).astype(np.float32)))
    assert evaluation.phase == "test"
    assert evaluation.scores["accuracy"] == (logits.argmax(axis=1) == split.labels).mean()


def test_a_data_set_with_other_classes_is_refused(checkpoint_dir, dataset):
    turned = Dataset(DatasetInfo("turned", NAMES[::-1]), {"test": dataset.split("test")})

    with pytest.raises(ConfigError, match="same names in the same order"):
        hubcls.load(checkpoint_dir).evaluate(turned)


def test_a_real_network_trained_in_bfloat16_is_loaded_as_the_float32_one_it_was(tmp_path):
    module = hubcls.Module(name="efficientnet_lite0_imagenet", weights=None)
    classifier = build_classifier(module.backbone, num_outputs=3, seed=0)
    image = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)

    save_bundle(
        tmp_path,
        rebuilt(classifier, "mixed_bfloat16"),
        problem=SingleLabel(NAMES),
        preprocessing=module.preprocessing,
        module_name=module.name,
    )

    predictor = hubcls.load(tmp_path)
    np.testing.assert_array_equal(predictor.model(image), classifier(image))
    assert predictor.preprocessing == module.preprocessing


def test_loading_from_nowhere_says_what_to_give(tmp_path):
    with pytest.raises(BundleError, match=r"is not a folder\.\n.*best_model/"):
        hubcls.load(tmp_path / "gone")
