from pathlib import Path

import numpy as np
import pytest

from hubcls.datasets import BaseCVDataset, ImageList, LabelKeeping
from hubcls.errors import ConfigError, DataError, UnreadableImagesError


@pytest.fixture
def lists(draw, tmp_path):
    """Ten images of class 0 and ten of class 1, with PaddleHub's four files."""
    folder = tmp_path / "lists"
    lines = [f"images/{number}.jpg {number % 2}\n" for number in range(20)]
    for number in range(20):
        draw(folder / "images" / f"{number}.jpg", seed=number)
    (folder / "train_list.txt").write_text("".join(lines[:12]))
    (folder / "validate_list.txt").write_text("".join(lines[12:16]))
    (folder / "test_list.txt").write_text("".join(lines[16:]))
    (folder / "label_list.txt").write_text("rose\ntulip\n")
    (folder / "all.txt").write_text("".join(lines))
    return folder


class Mine(BaseCVDataset):
    """As PaddleHub's documentation derives a data set."""

    def __init__(self, base_path):
        super().__init__(
            base_path=base_path,
            train_list_file="train_list.txt",
            validate_list_file="validate_list.txt",
            test_list_file="test_list.txt",
            label_list_file="label_list.txt",
        )


def test_a_data_set_in_paddlehubs_shape_is_read(lists):
    dataset = Mine(lists)

    assert str(dataset) == (
        "Dataset: Mine with 12 train examples, 4 dev examples and 4 test examples"
    )
    assert dataset.label_dict() == {0: "rose", 1: "tulip"}
    path, label = dataset.get_dev_examples()[1]
    assert (Path(path), label) == (lists / "images" / "13.jpg", 1)


def test_without_a_validation_list_one_is_cut_from_train(lists):
    dataset = BaseCVDataset(lists, "train_list.txt", label_list_file="label_list.txt")

    assert dataset.info.num_examples == {"train": 10, "val": 2}


def test_a_label_list_wins_over_the_file(lists):
    dataset = BaseCVDataset(
        lists, "train_list.txt", label_list_file="label_list.txt", label_list=["a", "b"]
    )

    assert dataset.get_labels() == ["a", "b"]


def test_without_names_the_numbers_are_the_names(lists):
    assert BaseCVDataset(lists, "train_list.txt").get_labels() == ["0", "1"]


def test_a_predict_list_holds_paths_alone(lists):
    (lists / "predict.txt").write_text("images/3.jpg\nimages/4.jpg\n")

    dataset = BaseCVDataset(lists, "train_list.txt", predict_list_file="predict.txt")

    assert [Path(image).name for image, _ in dataset.get_predict_examples()] == ["3.jpg", "4.jpg"]
    assert {label for _, label in dataset.get_predict_examples()} == {None}


def test_a_test_list_alone_is_enough(lists):
    dataset = BaseCVDataset(lists, test_list_file="test_list.txt")

    assert dataset.info.num_examples == {"test": 4}


def test_no_list_at_all_is_an_error(lists):
    with pytest.raises(ConfigError, match="at least one list"):
        BaseCVDataset(lists)


def test_a_derived_class_says_which_augmentations_keep_the_label(lists):
    class Text(Mine):
        keeps_label = LabelKeeping(horizontal_flip=False)

    assert not Text(lists).info.keeps_label.horizontal_flip


def test_lists_of_other_editors_are_read(lists, draw):
    draw(lists / "images" / "with two spaces.jpg")
    content = (
        "\ufeffimages/0.jpg 0\r\n"
        "\r\n"
        "images/with two spaces.jpg 1\r\n"
        "images/1.jpg\t1\r\n"
        f"{lists / 'images' / '2.jpg'} 0\r\n"
        "   images/3.jpg   1   \r\n"
        "images/4.jpg 0"
    )
    (lists / "odd.txt").write_bytes(content.encode())

    dataset = BaseCVDataset(lists, test_list_file="odd.txt")

    assert dataset.split("test").labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert Path(dataset.split("test").images[1]).name == "with two spaces.jpg"


def test_an_extension_of_the_other_case_is_found(lists, draw):
    Path(draw(lists / "images" / "a.jpeg")).rename(lists / "images" / "a.JPEG")
    (lists / "odd.txt").write_text("images/a.jpeg 0\nimages/0.JPG 1\n")

    dataset = BaseCVDataset(lists, test_list_file="odd.txt")

    assert [Path(path).name for path in dataset.split("test").images] == ["a.JPEG", "0.jpg"]


def test_names_with_numbers_as_paddleclas_writes_them_lose_the_numbers(lists):
    (lists / "label_list.txt").write_text("0 rose\n1 tulip\n")

    assert Mine(lists).get_labels() == ["rose", "tulip"]


def test_names_that_start_with_numbers_are_kept(lists):
    (lists / "label_list.txt").write_text("7 up\n1 tulip\n")

    assert Mine(lists).get_labels() == ["7 up", "1 tulip"]


def test_every_bad_line_of_every_list_is_reported_at_once(lists):
    with (lists / "train_list.txt").open("a") as file:
        file.write("images/0.jpg\nimages/1.jpg rose\nimages/2.jpg 2\nimages/none.jpg 0\n")
    with (lists / "test_list.txt").open("a") as file:
        file.write("images/0.jpg -1\n")

    with pytest.raises(DataError) as raised:
        Mine(lists)

    message = str(raised.value)
    assert "5 line(s)" in message
    for place, reason in (
        ("train_list.txt:13", "is not a path"),
        ("train_list.txt:14", "'rose' is neither a whole number"),
        ("train_list.txt:15", "label 2 is out of range"),
        ("train_list.txt:16", "no such file"),
        ("test_list.txt:5", "'-1' is neither a whole number"),
    ):
        (line,) = [line for line in message.splitlines() if f"{place}:" in line]
        assert reason in line


def test_a_missing_list_is_named(lists):
    (lists / "test_list.txt").unlink()

    with pytest.raises(DataError, match=r"test_list\.txt"):
        Mine(lists)


def test_an_empty_list_is_an_error(lists):
    (lists / "test_list.txt").write_text("\n")

    with pytest.raises(DataError, match="the test split has no examples"):
        Mine(lists)


def test_unreadable_images_of_a_list_are_an_error(lists):
    (lists / "images" / "3.jpg").write_bytes(b"")

    with pytest.raises(UnreadableImagesError, match=r"3\.jpg"):
        Mine(lists)


def test_missing_and_unreadable_images_can_be_left_out(lists):
    (lists / "images" / "3.jpg").write_bytes(b"")
    (lists / "images" / "5.jpg").unlink()

    dataset = BaseCVDataset(
        lists, "train_list.txt", validate_list_file="validate_list.txt", on_error="exclude"
    )

    assert dataset.info.num_examples["train"] == 10
    reasons = {Path(path).name: reason for path, reason in dataset.info.excluded}
    assert "train_list.txt:6" in reasons["5.jpg"]
    assert set(reasons) == {"3.jpg", "5.jpg"}


def test_one_list_is_split_by_class(lists):
    dataset = ImageList(lists / "all.txt", label_list=["rose", "tulip"], test_fraction=0.2)

    assert dataset.info.num_examples == {"train": 13, "val": 3, "test": 4}
    assert np.bincount(dataset.split("test").labels).tolist() == [2, 2]
    assert dataset.info.class_names == ("rose", "tulip")


def test_one_list_takes_its_names_from_a_file_and_its_images_from_elsewhere(lists, tmp_path):
    (lists / "all.txt").rename(tmp_path / "all.txt")

    dataset = ImageList(tmp_path / "all.txt", label_list=lists / "label_list.txt", base_path=lists)

    assert dataset.get_labels() == ["rose", "tulip"]
