"""Data sets whose images show several classes."""

import numpy as np
import pytest
from PIL import Image

from hubcls.datasets import BaseCVDataset, ImageList, ImageTable
from hubcls.datasets.base import Dataset, DatasetInfo, Split
from hubcls.datasets.splitting import strata
from hubcls.errors import DataError

NAMES = ("sky", "sea", "sand")
ROWS = [(1, 1, 0), (1, 0, 0), (0, 0, 1), (0, 0, 0), (1, 0, 1)] * 4


@pytest.fixture
def photos(tmp_path):
    for place in range(len(ROWS)):
        Image.new("RGB", (8, 8), (10 * place, 0, 0)).save(tmp_path / f"{place}.png")
    return tmp_path


def written_list(photos, name="list.txt", *, rows=ROWS):
    lines = [f"{place}.png\t{','.join(map(str, row))}\n" for place, row in enumerate(rows)]
    (photos / name).write_text("".join(lines))
    return photos / name


def pixels(count):
    return np.zeros((count, 4, 4, 3), np.uint8)


def test_a_list_with_a_number_for_each_class_is_read_as_paddleclas_writes_it(photos):
    dataset = ImageList(written_list(photos), label_list=NAMES, val_fraction=0.3, test_fraction=0)

    assert dataset.info.is_multi_label
    everything = np.concatenate([dataset.split(phase).labels for phase in ("train", "val")])
    assert sorted(map(tuple, everything.tolist())) == sorted(ROWS)


def test_lists_of_each_phase_are_read_too(photos):
    written_list(photos, "train.txt")
    (photos / "labels.txt").write_text("0 sky\n1 sea\n2 sand\n")

    dataset = BaseCVDataset(
        photos, "train.txt", validate_list_file="train.txt", label_list_file="labels.txt"
    )

    assert dataset.get_labels() == list(NAMES)
    assert [label for _, label in dataset.get_train_examples()[:4]] == [(0, 1), (0,), (2,), ()]


def test_every_line_of_another_form_is_reported(photos):
    file = written_list(photos)
    with file.open("a") as lines:
        lines.write("0.png\t1\n1.png\t1,0\n2.png\t1,2,0\n")

    with pytest.raises(DataError) as raised:
        ImageList(file, label_list=NAMES)

    for place, reason in ((21, "another form"), (22, "one for each of the 3"), (23, "neither")):
        (line,) = [line for line in str(raised.value).splitlines() if f":{place}:" in line]
        assert reason in line


def test_a_table_holds_all_classes_of_an_image_in_one_cell(photos):
    cells = ["|".join(np.array(NAMES)[np.array(row) > 0]) for row in ROWS]
    lines = [f"{place}.png,{cell},train" for place, cell in enumerate(cells)]
    (photos / "table.csv").write_text("image,labels,split\n" + "\n".join(lines) + "\n")

    dataset = ImageTable(photos / "table.csv", class_names=NAMES)

    assert dataset.info.is_multi_label
    assert len(dataset.split("train")) + len(dataset.split("val")) == len(ROWS)
    assert dataset.split("train").labels.sum() + dataset.split("val").labels.sum() == 24


def test_a_table_with_both_kinds_of_labels_is_refused(photos):
    (photos / "table.csv").write_text("image,label,labels\n0.png,sky,sky|sea\n")

    with pytest.raises(DataError, match="not both"):
        ImageTable(photos / "table.csv")


def test_an_image_counts_as_its_rarest_class_when_they_are_shared_out():
    labels = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 0, 0]])

    assert strata(labels).tolist() == [1, 0, 2, 2, 3]
    assert strata(np.array([2, 0])).tolist() == [2, 0]


def test_a_validation_split_has_every_class_that_it_can():
    labels = np.zeros((100, 3), int)
    labels[:40, 0] = labels[36:44, 1] = labels[98:, 2] = 1

    dataset = Dataset(
        DatasetInfo("mine", NAMES, is_multi_label=True), {"train": Split(pixels(100), labels)}
    )

    assert dataset.split("val").labels.any(axis=0).all()
    assert dataset.split("train").labels.any(axis=0).all()


def test_fewer_training_examples_keep_their_rows():
    labels = np.tile(np.array(ROWS), (5, 1))
    dataset = Dataset(
        DatasetInfo("mine", NAMES, is_multi_label=True), {"train": Split(pixels(100), labels)}
    )

    fewer = dataset.with_train_examples(20)

    assert fewer.split("train").labels.shape == (20, 3)


@pytest.mark.parametrize(
    ("labels", "is_multi_label", "reason"),
    [
        ([[1, 0, 0]], False, r"\[N, C\], but is_multi_label=False"),
        ([1], True, r"\[N\], but is_multi_label=True"),
        ([[1, 0]], True, "for 2 classes, not for 3"),
        ([[2, 0, 0]], True, "must be 0 or 1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, is_multi_label, reason):
    info = DatasetInfo("mine", NAMES, is_multi_label=is_multi_label)

    with pytest.raises(DataError, match=reason):
        Dataset(info, {"val": Split(pixels(1), labels)})
