"""CIFAR-10 and CIFAR-100 from miniature archives of their authors' layout.

The batches are written byte by byte as Python 2's cPickle wrote the published ones; that the
two files of class names come out with the published md5 shows that it is so.
"""

import hashlib
import os
import pickle
import struct

import numpy as np
import pytest

from hubcls.datasets import CIFAR10, open_dataset
from hubcls.datasets.finding import spec
from hubcls.errors import DataError

COARSE = [
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
    "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes",
    "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates", "people",
    "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
]  # fmt: skip
MD5_OF_CIFAR10S_NAMES = "5ff9c542aee3614f3951f8cda6e48888"
MD5_OF_CIFAR100S_NAMES = "7973b15100ade9c7d40fb424638fde48"
ANSWERS = pytest.mark.parametrize("name", ["cifar10", "cifar100"])


class Python2Pickle:
    """Protocol 2 as Python 2.7 writes it: bytes for text, a memo that counts from 1."""

    def __init__(self):
        self.places = 0

    def dumps(self, value):
        return b"\x80\x02" + self.value(value) + b"."

    def value(self, value):
        kinds = {str: self.text, int: self.number, list: self.items, dict: self.entries}
        return kinds.get(type(value), self.array)(value)

    def put(self):
        self.places += 1
        return b"q%c" % self.places if self.places < 256 else b"r" + struct.pack("<I", self.places)

    def text(self, value):
        return self.string(value.encode()) + self.put()

    def string(self, value):
        size = b"U%c" % len(value) if len(value) < 256 else b"T" + struct.pack("<I", len(value))
        return size + value

    def number(self, value):
        return b"K%c" % value if value < 256 else b"M" + struct.pack("<H", value)

    def items(self, values):
        return b"]" + self.put() + b"(" + b"".join(map(self.value, values)) + b"e"

    def entries(self, values):
        pairs = [part for pair in values.items() for part in pair]
        return b"}" + self.put() + b"(" + b"".join(map(self.value, pairs)) + b"u"

    def array(self, value):
        made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        kind = b"(cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff"
        shape = b"(" + b"".join(map(self.number, value.shape)) + b"t"
        rest = b"K\x00tb\x89" + self.string(value.tobytes()) + b"tb"
        return made + b"(K\x01" + shape + kind[1:] + rest


def dumps(value):
    return Python2Pickle().dumps(value)


@pytest.fixture
def drawn():
    """100 images, uint8 [100, 32, 32, 3], with 255 red at the top left of the first."""
    images = np.random.default_rng(0).integers(0, 255, (100, 32, 32, 3), np.uint8)
    images[0, 0, 0] = [255, 0, 128]
    return images


@pytest.fixture
def contents(tmp_path, drawn):
    """The folder of an archive: ten or one image a class in each batch."""

    def make(name):
        folder = tmp_path / "contents" / spec(name).sources["original"].base
        folder.mkdir(parents=True)
        files = ten_classes(drawn) if name == "cifar10" else hundred_classes(drawn)
        for file, value in files.items():
            (folder / file).write_bytes(dumps(value))
        return folder

    return make


def rows(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def ten_classes(images):
    batch = {
        "batch_label": "training batch 1 of 5",
        "labels": [number % 10 for number in range(100)],
        "data": rows(images),
        "filenames": [f"leptodactylus_s_{number:06}.png" for number in range(100)],
    }
    batches = {f"data_batch_{number}": batch for number in range(1, 6)}
    names = list(spec("cifar10").class_names)
    meta = {"num_cases_per_batch": 10000, "label_names": names, "num_vis": 3072}
    return {**batches, "test_batch": batch, "batches.meta": meta}


def hundred_classes(images):
    train = {
        "filenames": [f"bos_taurus_s_{number:06}.png" for number in range(1000)],
        "batch_label": "training batch 1 of 1",
        "fine_labels": [number % 100 for number in range(1000)],
        "coarse_labels": [number % 20 for number in range(1000)],
        "data": rows(np.tile(images, (10, 1, 1, 1))),
    }
    test = {key: value[:100] for key, value in train.items()}
    meta = {
        "fine_label_names": list(spec("cifar100").class_names),
        "coarse_label_names": COARSE,
    }
    return {"train": train, "test": test, "meta": meta}


@pytest.mark.parametrize(
    ("name", "file", "md5"),
    [
        ("cifar10", "batches.meta", MD5_OF_CIFAR10S_NAMES),
        ("cifar100", "meta", MD5_OF_CIFAR100S_NAMES),
    ],
)
def test_the_miniatures_names_are_the_published_bytes(name, file, md5, contents):
    folder = contents(name)

    assert hashlib.md5((folder / file).read_bytes(), usedforsecurity=False).hexdigest() == md5


@ANSWERS
def test_the_original_is_read_into_memory(name, contents, publish, tmp_path, drawn):
    contents(name)
    row = publish(spec(name), "original", tmp_path / "contents")

    dataset = open_dataset(name, row=row)

    train = 450 if name == "cifar10" else 900
    assert dataset.info.num_examples == {"train": train, "val": train // 9, "test": 100}
    assert dataset.info.class_names == spec(name).class_names
    assert dataset.info.source == "original"
    test = dataset.split("test")
    assert test.images.dtype == np.uint8
    np.testing.assert_array_equal(test.images, drawn)
    assert test.labels.tolist() == [number % spec(name).num_classes for number in range(100)]


def test_the_class_stands_for_its_row(contents, publish, tmp_path):
    contents("cifar10")
    row = publish(spec("cifar10"), "original", tmp_path / "contents")

    assert CIFAR10(row=row).split("val").images.shape == (50, 32, 32, 3)


def test_a_batch_that_carries_code_is_refused_and_not_run(contents, publish, tmp_path):
    trap = tmp_path / "trap"

    class Exploit:
        def __reduce__(self):
            return os.system, (f"touch {trap}",)

    folder = contents("cifar100")
    (folder / "train").write_bytes(pickle.dumps({"data": Exploit(), "fine_labels": []}, 2))
    row = publish(spec("cifar100"), "original", tmp_path / "contents")

    with pytest.raises(DataError, match=r"train is refused as a batch of CIFAR.*system"):
        open_dataset("cifar100", row=row, source="original")

    assert not trap.exists()
    pickle.loads((folder / "train").read_bytes())  # noqa: S301
    assert trap.exists(), "the exploit works where nobody looks"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "lacks the array data or the list labels"),
        ({"labels": [1, 2]}, r"must be uint8 \[2, 3072\] beside 2 labels, not uint8 \[100, 3072\]"),
        ({"labels": ["cat"] * 100}, "labels must be whole numbers"),
    ],
)
def test_a_batch_that_does_not_hold_what_it_should_is_an_error(
    change, message, contents, publish, tmp_path, drawn
):
    folder = contents("cifar10")
    batch = {**ten_classes(drawn)["test_batch"], **change}
    (folder / "test_batch").write_bytes(pickle.dumps(batch, 2))
    row = publish(spec("cifar10"), "original", tmp_path / "contents")

    with pytest.raises(DataError, match=f"test_batch.*{message}"):
        open_dataset("cifar10", row=row)


def test_a_truncated_batch_is_an_error(contents, publish, tmp_path):
    folder = contents("cifar10")
    whole = (folder / "data_batch_3").read_bytes()
    (folder / "data_batch_3").write_bytes(whole[: len(whole) // 2])
    row = publish(spec("cifar10"), "original", tmp_path / "contents")

    with pytest.raises(DataError, match="data_batch_3 is refused"):
        open_dataset("cifar10", row=row)


def test_a_folder_without_class_names_is_no_cifar(contents, publish, tmp_path):
    (contents("cifar10") / "batches.meta").unlink()
    row = publish(spec("cifar10"), "original", tmp_path / "contents")

    with pytest.raises(DataError, match=r"neither batches.meta nor meta"):
        open_dataset("cifar10", row=row)
