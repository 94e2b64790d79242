from pathlib import Path

import pytest

from hubcls.datasets import ImageTable
from hubcls.errors import DataError

pandas = pytest.importorskip("pandas")


@pytest.fixture
def rows(draw, tmp_path):
    for number in range(12):
        draw(tmp_path / "images" / f"{number}.png", seed=number)
    return [(f"images/{number}.png", "dog" if number % 3 else "cat") for number in range(12)]


def write_csv(path, rows, *, header=("image", "label"), delimiter=",", encoding="utf-8"):
    lines = [delimiter.join(map(str, row)) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def test_a_csv_file_is_split_by_class(rows, tmp_path):
    dataset = ImageTable(write_csv(tmp_path / "animals.csv", rows), test_fraction=0.25)

    assert dataset.info.name == "animals"
    assert dataset.info.class_names == ("cat", "dog")
    assert dataset.info.num_examples == {"train": 7, "val": 2, "test": 3}
    for image, label in dataset.get_train_examples():
        assert label == (int(Path(image).stem) % 3 > 0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_files_of_other_spreadsheets_are_read(rows, tmp_path, delimiter):
    path = write_csv(tmp_path / "a.csv", rows, delimiter=delimiter, encoding="utf-8-sig")

    assert sum(ImageTable(path).info.num_examples.values()) == 12


def test_the_column_split_decides_where_there_is_one(rows, tmp_path):
    names = ["train"] * 8 + ["valid", "dev", "test", "test"]
    table = [(*row, name) for row, name in zip(rows, names, strict=True)]
    path = write_csv(tmp_path / "a.csv", table, header=("image", "label", "split"))

    assert ImageTable(path).info.num_examples == {"train": 8, "val": 2, "test": 2}


def test_a_dataframe_is_as_good_as_a_file(rows, tmp_path):
    frame = pandas.DataFrame(rows, columns=["image", "label"])

    from_frame = ImageTable(frame, base_path=tmp_path)
    from_file = ImageTable(write_csv(tmp_path / "a.csv", rows))

    for phase in ("train", "val", "test"):
        assert from_frame.split(phase).fingerprint() == from_file.split(phase).fingerprint()


def test_numbers_as_labels_are_sorted_by_size(rows, tmp_path):
    labels = [10, 9, 2, 10, 9, 2, 10, 9, 2, 10, 9, 2]
    frame = pandas.DataFrame({"image": [image for image, _ in rows], "label": labels})

    dataset = ImageTable(frame, base_path=tmp_path)

    assert dataset.info.class_names == ("2", "9", "10")


def test_whole_numbers_that_pandas_widened_are_whole_again(rows, tmp_path):
    frame = pandas.DataFrame({"image": [image for image, _ in rows], "label": [0.0, 1.0] * 6})

    assert ImageTable(frame, base_path=tmp_path).info.class_names == ("0", "1")


def test_the_order_of_the_classes_can_be_given(rows, tmp_path):
    path = write_csv(tmp_path / "a.csv", rows)

    assert ImageTable(path, class_names=["dog", "cat"]).label_dict() == {0: "dog", 1: "cat"}


def test_missing_columns_are_named_with_those_there(tmp_path):
    path = write_csv(tmp_path / "a.csv", [], header=("file", "label"))

    with pytest.raises(DataError, match=r"has the columns file, label\.\n  Name them image, label"):
        ImageTable(path)


def test_every_bad_cell_is_reported_at_once(rows, tmp_path):
    table = [*((*row, "train") for row in rows), ("", "cat", "train"), ("b.png", "yak", "tets")]
    path = write_csv(tmp_path / "a.csv", table, header=("image", "label", "split"))

    with pytest.raises(DataError) as raised:
        ImageTable(path, class_names=["cat", "dog"])

    for part in ("a.csv:14: image is empty", "a.csv:15: label 'yak'", "a.csv:15: split 'tets'"):
        assert part in str(raised.value)


def test_an_empty_cell_of_a_dataframe_is_named_by_its_row(rows, tmp_path):
    frame = pandas.DataFrame([*rows, ("images/0.png", None)], columns=["image", "label"])

    with pytest.raises(DataError, match="row 12: label ''"):
        ImageTable(frame, base_path=tmp_path)


def test_a_missing_image_can_be_left_out(rows, tmp_path):
    path = write_csv(tmp_path / "a.csv", [*rows, ("images/none.png", "cat")])

    dataset = ImageTable(path, on_error="exclude")

    assert [Path(path).name for path, _ in dataset.info.excluded] == ["none.png"]


def test_something_else_than_a_table_is_refused():
    with pytest.raises(DataError, match="not list"):
        ImageTable([("a.jpg", "cat")])
