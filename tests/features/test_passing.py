import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.classification.classifier import build_classifier, head_input
from hubcls.datasets.base import Split
from hubcls.features.cutting import trunk_at
from hubcls.features.passing import content_keys, features_of, logits_of
from hubcls.images.augmenting import Augmentation
from hubcls.inference.outputs import compute_outputs
from hubcls.pipeline.building import evaluation_batches
from hubcls.preprocessing import Preprocessing

SIZE = Preprocessing(16, 16)


@pytest.fixture
def classifier(backbone):
    return build_classifier(backbone, num_outputs=3, seed=0)


@pytest.fixture
def trunk(classifier):
    return trunk_at(classifier, head_input(classifier))


@pytest.fixture
def split(dataset):
    return dataset.split("train")


def everything(features, view=0):
    return features.read(np.arange(len(features)), np.full(len(features), view))


def test_features_are_what_the_body_gives(trunk, split):
    features = features_of(trunk, split, SIZE, title="")

    batches = evaluation_batches(split, SIZE, batch_size=48)
    np.testing.assert_allclose(
        everything(features), compute_outputs(trunk.model, batches, 48, title=""), rtol=1e-5
    )


def test_a_second_pass_computes_nothing(trunk, split, kept):
    features_of(trunk, split, SIZE, title="")
    before = kept()

    again = features_of(trunk, split.subset(np.arange(48)[::-1]), SIZE, title="")

    assert kept() == before
    assert len(before) == 1
    assert np.isfinite(everything(again)).all()


def test_a_graph_compiled_for_one_split_serves_the_next(trunk, split, monkeypatch):
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_COMPILING", 40)
    features_of(trunk, split.subset(range(40)), SIZE, title="")
    compiled = dict(trunk.inference._graphs)

    features_of(trunk, split, SIZE, title="")

    assert len(compiled) == 1
    assert trunk.inference._graphs[next(iter(compiled))] is compiled[next(iter(compiled))]


def test_images_that_come_later_are_added_and_copies_count_once(trunk, split, kept):
    features_of(trunk, split.subset(range(40)), SIZE, title="")
    features = features_of(trunk, split.subset([*range(48), 47, 3]), SIZE, title="")

    assert sum(path.stat().st_size for path in kept()) == 48 * 16 * 4
    np.testing.assert_array_equal(everything(features)[[47, 3]], everything(features)[[48, 49]])


def test_another_size_is_another_feature(trunk, split):
    one = features_of(trunk, split, SIZE, title="")
    other = features_of(trunk, split, SIZE.replaced(crop_fraction=0.5), title="")

    assert np.abs(everything(one) - everything(other)).max() > 1e-3


def test_features_that_a_cpu_computed_are_not_taken_on_a_gpu(trunk, split, monkeypatch, kept):
    features_of(trunk, split, SIZE, title="")
    assert len(kept()) == 1
    gpus = {"GPU": [tf.config.LogicalDevice("/device:GPU:0", "GPU")]}
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus.get(kind, []))

    features_of(trunk, split, SIZE, title="")

    assert len(kept()) == 2


def test_views_are_the_image_and_changes_of_it_that_keep(trunk, split, kept):
    wish = {"augmentation": Augmentation(), "num_views": 3, "title": ""}
    plain = features_of(trunk, split, SIZE, title="")
    views = features_of(trunk, split, SIZE, **wish)
    before = kept()
    again = features_of(trunk, split.subset(np.arange(48)[::-1]), SIZE, **wish)

    np.testing.assert_array_equal(everything(views), everything(plain))
    differences = [
        np.abs(everything(views, view) - everything(plain)).max(axis=1) for view in (1, 2)
    ]
    assert np.median(differences) > 1e-3
    assert np.abs(everything(views, 1) - everything(views, 2)).max() > 1e-3
    assert kept() == before
    np.testing.assert_array_equal(everything(again, 2)[::-1], everything(views, 2))


def test_operations_change_views_too(trunk, split):
    plain = Augmentation(horizontal_flip=False, min_area=1.0)
    darker = Augmentation(horizontal_flip=False, min_area=1.0, operations=("cutout",))
    of_plain, of_darker = (
        features_of(trunk, split, SIZE, title="", augmentation=change, num_views=2)
        for change in (plain, darker)
    )

    assert np.abs(everything(of_plain, 1) - everything(of_darker, 1)).max() > 1e-3


def test_what_exceeds_the_limit_is_not_kept(trunk, split, monkeypatch, kept, caplog):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "1e-6")
    caplog.set_level("INFO", "hubcls")

    assert features_of(trunk, split, SIZE, title="features") is None
    assert not kept()
    assert "HUBCLS_CACHE_GB" in caplog.text


def test_a_home_that_is_a_file_costs_no_run(trunk, split, home, caplog):
    home.write_text("")

    assert features_of(trunk, split, SIZE, title="features") is None
    assert "cannot be kept" in caplog.text


def test_features_too_many_for_memory_are_read_from_files(trunk, split, monkeypatch):
    held = everything(features_of(trunk, split, SIZE, title=""))
    monkeypatch.setattr("hubcls.features.passing._MOST_IN_MEMORY", 0)
    monkeypatch.setattr("hubcls.features.passing._BYTES_AT_A_TIME", 1)

    read = features_of(trunk, split.subset([*range(48), 5]), SIZE, title="")

    np.testing.assert_array_equal(read[:48], held)
    np.testing.assert_array_equal(read[3:7], held[3:7])


def test_content_and_not_the_name_is_the_key(tmp_path):
    for name, colour in (("a", 0), ("b", 0), ("c", 9)):
        Image.new("RGB", (8, 8), (colour, 0, 0)).save(tmp_path / f"{name}.png")
    paths = tuple(str(tmp_path / f"{name}.png") for name in "abc")

    keys = content_keys(Split(paths, np.zeros(3, np.int64)))

    assert (keys[0] == keys[1]).all()
    assert (keys[0] != keys[2]).any()


def test_logits_from_known_features_are_the_networks(classifier, trunk, split, kept):
    def logits():
        return logits_of(classifier, split, SIZE, batch_size=7, title="")

    direct = logits()
    assert not kept()
    features_of(trunk, split, SIZE, title="")

    np.testing.assert_allclose(logits(), direct, rtol=1e-4, atol=1e-5)
    classifier.get_layer("stem").kernel.assign_add(classifier.get_layer("stem").kernel)
    assert np.abs(logits() - direct).max() > 1e-3
