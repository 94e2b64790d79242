import logging
import os

import numpy as np
import pytest

from hubcls.datasets import Dataset, DatasetInfo, LabelKeeping, Split
from hubcls.errors import ConfigError, DataError

LABELS = np.repeat([0, 1], [40, 20])


def pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 5, 3), np.uint8)


@pytest.fixture
def dataset():
    info = DatasetInfo("animals", ("cat", "dog"))
    return Dataset(info, {"train": Split(pixels(60), LABELS), "test": Split(pixels(2), [0, 1])})


def test_a_missing_validation_split_is_cut_from_train_and_logged(caplog):
    caplog.set_level(logging.INFO, logger="hubcls")

    dataset = Dataset(DatasetInfo("animals", ("cat", "dog")), {"train": Split(pixels(60), LABELS)})

    assert dataset.info.num_examples == {"train": 51, "val": 9}
    assert np.bincount(dataset.split("val").labels).tolist() == [6, 3]
    assert "animals has no validation split: 9 of its 60" in caplog.text


def test_a_validation_split_that_is_given_is_kept():
    splits = {"train": Split(pixels(60), LABELS), "dev": Split(pixels(1), [1])}

    dataset = Dataset(DatasetInfo("animals", ("cat", "dog")), splits)

    assert dataset.info.num_examples == {"train": 60, "val": 1}


def test_a_data_set_may_have_a_test_split_alone():
    dataset = Dataset(DatasetInfo("animals", ("cat", "dog")), {"test": Split(pixels(2), [0, 1])})

    assert dataset.info.num_examples == {"test": 2}
    assert not dataset.has("train")


def test_dev_is_another_name_of_val(dataset):
    assert dataset.split("dev") is dataset.split("val")


def test_a_missing_split_is_an_error_that_names_those_there(dataset):
    only_test = Dataset(DatasetInfo("animals", ("a", "b")), {"test": Split(pixels(1), [0])})

    with pytest.raises(ConfigError, match="no 'train' split; it has: test"):
        only_test.split("train")


def test_an_unknown_phase_is_an_error(dataset):
    with pytest.raises(ConfigError, match="not 'tset'"):
        dataset.split("tset")


def test_paddlehubs_getters_give_pairs_of_image_and_label(dataset):
    image, label = dataset.get_test_examples()[1]

    assert image.shape == (4, 5, 3)
    assert label == 1
    assert len(dataset.get_train_examples()) == 51
    assert len(dataset.get_dev_examples()) == len(dataset.get_val_examples()) == 9
    assert dataset.get_predict_examples() == []
    assert dataset.num_labels == 2
    assert dataset.get_labels() == ["cat", "dog"]
    assert dataset.label_dict() == {0: "cat", 1: "dog"}


def test_it_prints_as_in_paddlehub(dataset):
    assert str(dataset) == (
        "Dataset: animals with 51 train examples, 9 dev examples and 2 test examples"
    )


def test_fewer_train_examples_are_a_stratified_copy(dataset):
    smaller = dataset.with_train_examples(6)

    assert smaller.info.num_examples == {"train": 6, "val": 9, "test": 2}
    assert np.bincount(smaller.split("train").labels).tolist() == [4, 2]
    assert dataset.info.num_examples["train"] == 51, "the original keeps its examples"
    assert smaller.split("test") is dataset.split("test")


def test_fewer_train_examples_depend_on_the_seed_alone(dataset):
    first, again, other = (
        dataset.with_train_examples(20, seed=seed).split("train").fingerprint()
        for seed in (1, 1, 2)
    )

    assert first == again != other


@pytest.mark.parametrize("count", [0, -1, 52])
def test_a_wrong_number_of_train_examples_is_an_error(dataset, count):
    with pytest.raises(ConfigError, match="between 1 and the 51"):
        dataset.with_train_examples(count)


def test_all_wrong_splits_are_reported_at_once():
    splits = {
        "train": Split(pixels(2), [0, 2]),
        "val": Split(pixels(1), [-1]),
        "test": Split((), np.zeros(0, int)),
    }

    with pytest.raises(DataError) as raised:
        Dataset(DatasetInfo("animals", ("cat", "cat")), splits)

    for part in (
        "'cat' stands for",
        "train split has labels 0 … 2",
        "val split has labels -1",
        "no examples",
    ):
        assert part in str(raised.value)


def test_too_few_examples_for_a_validation_split_are_an_error():
    with pytest.raises(DataError, match="too few"):
        Dataset(DatasetInfo("animals", ("cat", "dog")), {"train": Split(pixels(2), [0, 1])})


def test_a_class_without_training_examples_is_logged(caplog):
    Dataset(DatasetInfo("animals", ("cat", "dog", "yak")), {"train": Split(pixels(60), LABELS)})

    assert "no training examples of: yak" in caplog.text


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((2, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 4), "u1"),
    ],
)
def test_images_of_another_form_are_refused(images):
    with pytest.raises(DataError):
        Split(images, [0, 1])


def test_a_split_has_a_label_for_each_image():
    with pytest.raises(DataError, match="3 images"):
        Split(pixels(3), [0, 1])


def test_a_subset_of_paths_keeps_what_belongs_together():
    split = Split(("a.jpg", "b.gif", "c.jpg"), [0, 1, 2], np.array([False, True, False]))

    subset = split.subset([2, 1])

    assert subset.images == ("c.jpg", "b.gif")
    assert subset.labels.tolist() == [2, 1]
    assert subset.needs_pillow.tolist() == [False, True]


def test_the_fingerprint_changes_with_pixels_and_labels():
    split = Split(pixels(3), [0, 1, 0])
    other_pixels, other_labels = Split(pixels(3, seed=1), [0, 1, 0]), Split(pixels(3), [0, 1, 1])

    assert split.fingerprint() == Split(pixels(3), [0, 1, 0]).fingerprint()
    assert len({item.fingerprint() for item in (split, other_pixels, other_labels)}) == 3


def test_the_fingerprint_changes_when_a_file_does(draw, tmp_path):
    path = draw(tmp_path / "a.png")
    split = Split((path,), [0])
    before = split.fingerprint()

    os.utime(path, ns=(0, 0))

    assert split.fingerprint() != before


def test_labels_are_kept_by_flip_and_crop_unless_said_otherwise():
    assert DatasetInfo("animals", ("cat",)).keeps_label == LabelKeeping(True, True)
