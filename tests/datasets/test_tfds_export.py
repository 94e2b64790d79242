"""Data sets of tensorflow-datasets: builders of our own, whose images are drawn here.

No published set was fetched for these tests: they need no network.
"""

import builtins
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubcls.datasets import from_tfds, open_dataset
from hubcls.datasets.opening import opened_as
from hubcls.errors import (
    ConfigError,
    DataError,
    DownloadError,
    MissingExtraError,
    OfflineError,
    UnknownNameError,
)

try:
    import importlib_resources  # noqa: F401 - tensorflow-datasets 4.9.10 needs it to prepare
    import tensorflow_datasets as tfds
except ImportError:
    tfds = None
needs_tfds = pytest.mark.skipif(tfds is None, reason="pip install 'hubcls[tfds]'")
COUNTS = {"train": 8, "validation": 2, "test": 4, "extra": 1}


def encoded(number, kind):
    """The bytes of an image file."""
    pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


if tfds is not None:

    class Drawn(tfds.core.GeneratorBasedBuilder):
        """What the builders below have in common."""

        VERSION = tfds.core.Version("1.0.0")
        pkg_dir_path = None
        supervised_keys = ("image", "label")
        labels = tfds.features.ClassLabel(names=["bean", "angular leaf spot"])
        format = "jpeg"
        hidden = ()

        def _info(self):
            features = {
                "image": tfds.features.Image(encoding_format=self.format),
                "label": self.labels,
                "name": tfds.features.Text(),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=self.supervised_keys,
                license="CC0",
            )

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(split) for split in COUNTS}

        def _generate_examples(self, split):
            for number in range(COUNTS[split]):
                image = io.BytesIO(encoded(number, self.format))
                label = -1 if split in self.hidden else self.label_of(number)
                yield number, {"image": image, "label": label, "name": str(number)}

        def label_of(self, number):
            return number % 2

    class TinyBeans(Drawn):
        """Two classes, one label each."""

    class TinyScenes(Drawn):
        """Several labels an image."""

        labels = tfds.features.Sequence(tfds.features.ClassLabel(names=["sky", "sea", "tree"]))
        supervised_keys = None
        format = "png"

        def label_of(self, number):
            return [0, 2] if number % 2 else []

    class TinyCompetition(Drawn):
        """The labels of the test are not told."""

        hidden = ("test",)

    class TinyBroken(Drawn):
        """Cannot be prepared."""

        def _generate_examples(self, split):
            raise OSError("the server is gone")
            yield

    class TinyText(Drawn):
        """The label is text."""

        labels = tfds.features.Text()

        def label_of(self, number):
            return str(number)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """Where tensorflow-datasets keeps its files; one for all tests, which is quicker."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture
def opened(data_dir):
    def make(name, **arguments):
        return from_tfds(name, **{"data_dir": data_dir, **arguments})

    return make


@needs_tfds
def test_the_splits_become_image_files_with_their_own_bytes(opened, home):
    dataset = opened("tiny_beans")

    assert dataset.info.num_examples == {"train": 8, "val": 2, "test": 4}
    assert dataset.get_labels() == ["bean", "angular leaf spot"]
    assert dataset.info.licence == "CC0"
    assert dataset.info.source == "tensorflow-datasets tiny_beans/1.0.0"
    split = dataset.split("train")
    assert all(path.startswith(str(home / "datasets" / "tfds")) for path in split.images)
    drawn = {encoded(number, "jpeg"): number % 2 for number in range(8)}
    found = {Path(path).read_bytes(): label for path, label in dataset.get_train_examples()}
    assert found == drawn


@needs_tfds
def test_the_second_time_neither_builds_nor_writes(opened, home, monkeypatch):
    first = opened("tiny_beans")
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*.jpg")}
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    again = opened("tiny_beans")

    assert again.split("train").fingerprint() == first.split("train").fingerprint()
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*.jpg")} == before


@needs_tfds
def test_parts_of_splits_are_named_as_tensorflow_datasets_does(opened):
    dataset = opened("tiny_beans", splits={"train": "train[:75%]", "val": "train[75%:]"})

    assert dataset.info.num_examples == {"train": 6, "val": 2}
    assert not set(dataset.split("train").images) & set(dataset.split("val").images)


@needs_tfds
def test_a_sequence_of_labels_makes_it_multi_label(opened):
    dataset = opened("tiny_scenes", keys=("image", "label"))

    assert dataset.info.is_multi_label
    assert {tuple(row) for row in dataset.split("train").labels} == {(0, 0, 0), (1, 0, 1)}
    assert dataset.split("train").images[0].endswith(".png")


@needs_tfds
def test_open_dataset_takes_it_by_a_prefix(data_dir):
    assert open_dataset("tfds:tiny_beans", data_dir=data_dir).info.name == "tiny_beans"


@needs_tfds
def test_what_opens_it_again_is_plain(opened, data_dir):
    given = {"splits": {"train": "train[:75%]"}, "keys": ("image", "label")}

    found = opened_as(opened("tiny_beans", **given))

    assert found == {
        "name": "tfds:tiny_beans",
        "splits": {"train": "train[:75%]"},
        "keys": ["image", "label"],
        "data_dir": str(data_dir),
        "on_error": "raise",
    }
    again = open_dataset(**{"name_or_path": found.pop("name"), **found})
    assert again.info.num_examples == {"train": 4, "val": 2}


@needs_tfds
def test_labels_that_are_not_told_are_an_error(opened, home):
    with pytest.raises(DataError, match="leave their split out"):
        opened("tiny_competition")

    splits = {"train": "train", "val": "validation"}
    assert not opened("tiny_competition", splits=splits).has("test")


@needs_tfds
@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("tiny_bean", {}, UnknownNameError, "tiny_beans"),
        ("tiny_broken", {}, DownloadError, "could not prepare tiny_broken: .*server is gone"),
        ("tiny_scenes", {}, ConfigError, r"keys=\(image, label\), of image, label, name"),
        ("tiny_beans", {"keys": ("image", "lable")}, ConfigError, "no feature 'lable'"),
        ("tiny_beans", {"splits": {"train": "trian"}}, ConfigError, "not 'train' to 'trian'"),
        ("tiny_beans", {"splits": {"all": "train"}}, ConfigError, "splits must map train, val"),
        ("tiny_text", {}, ConfigError, "'label' a class label"),
    ],
)
def test_what_cannot_be_is_said_so(name, arguments, error, message, opened):
    with pytest.raises(error, match=message):
        opened(name, **arguments)


@needs_tfds
def test_offline_what_is_not_prepared_is_an_error(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    with pytest.raises(OfflineError, match="tiny_beans is not in"):
        opened("tiny_beans", data_dir=tmp_path)


def test_without_the_package_the_error_names_the_extra(monkeypatch):
    find = builtins.__import__

    def without(name, *rest):
        if name == "tensorflow_datasets":
            raise ImportError(name)
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError, match=r"hubcls\[tfds\]"):
        from_tfds("beans")
