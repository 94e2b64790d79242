"""PaddleClas' data sets, from miniature archives of exactly their layouts."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hubcls.datasets import NUSWideScene, open_dataset, unlabelled_images
from hubcls.datasets.finding import spec
from hubcls.errors import DataError, UnknownNameError


@pytest.fixture
def root(tmp_path):
    """The folder that an archive of the data set is packed from."""

    def folder(row, source):
        return tmp_path / "contents" / row.sources[source].base

    return folder


def write(path, lines):
    path.write_text("\n".join(lines) + "\n")


def test_cifar100s_archive_holds_files_by_class_and_a_test_split(root, draw, publish, tmp_path):
    row = spec("cifar100")
    base = root(row, "paddleclas")
    train = [f"train/{number % 100}/{number:04}.png {number % 100}" for number in range(200)]
    test = [f"test/0/{number:04}.png {number}" for number in range(100)]
    for line in (*train, *test):
        draw(base / line.split()[0])
    write(base / "train_list.txt", train)
    write(base / "test_list.txt", test)
    row = publish(row, "paddleclas", tmp_path / "contents")

    dataset = open_dataset("cifar100", row=row, source="paddleclas")

    assert dataset.info.num_examples == {"train": 100, "val": 100, "test": 100}
    assert dataset.get_labels()[:2] == ["apple", "aquarium_fish"]
    path, label = dataset.get_test_examples()[7]
    assert (Path(path).name, label) == ("0007.png", 7)


@pytest.fixture
def flowers102(root, draw, publish, tmp_path):
    row = spec("flowers102")
    base = root(row, "paddleclas")
    for number in range(1, 9):
        draw(base / f"jpg/image_{number:05}.jpg", seed=number)
    write(base / "train_list.txt", ["jpg/image_00001.jpg 76", "jpg/image_00002.jpg 0"])
    write(base / "val_list.txt", ["jpg/image_00003.jpg 101"])
    write(base / "train_extra_list.txt", [f"jpg/image_{n:05}.jpg {n}" for n in range(1, 9)])
    write(
        base / "flowers102_label_list.txt",
        [f"{n} {name}" for n, name in enumerate(row.class_names)],
    )
    return publish(row, "paddleclas", tmp_path / "contents")


def test_paddleclas_flowers102_has_its_own_lists(flowers102):
    dataset = open_dataset("flowers102", row=flowers102, source="paddleclas")

    assert dataset.info.num_examples == {"train": 2, "val": 1}
    assert dataset.get_train_examples()[0].label == 76
    assert dataset.get_labels()[76] == "passion flower"


def test_its_extra_list_gives_images_without_labels(flowers102, home):
    open_dataset("flowers102", row=flowers102, source="paddleclas")
    folder = home / "datasets" / "flowers102" / "paddleclas" / "images" / "flowers102"

    split = unlabelled_images(folder / "train_extra_list.txt")

    assert split.labels.shape == (8, 0)
    assert Path(split.images[7]).name == "image_00008.jpg"


def test_flowers102_original_keeps_the_official_splits(draw, publish, tmp_path):
    contents = tmp_path / "contents"
    for number in range(1, 13):
        draw(contents / "images" / "jpg" / f"image_{number:05}.jpg", seed=number)
    labels = np.array([[77, 1, 102, 77, 1, 102, 77, 1, 102, 77, 1, 102]], np.uint8)
    savemat(contents / "imagelabels.mat", {"labels": labels})
    ids = {"trnid": [[3, 1, 2]], "valid": [[6, 5, 4]], "tstid": [[12, 11, 10, 9, 8, 7]]}
    savemat(contents / "setid.mat", {key: np.array(value, np.uint16) for key, value in ids.items()})
    row = publish(spec("flowers102"), "original", contents)

    dataset = open_dataset("flowers102", row=row)

    assert dataset.info.source == "original"
    assert dataset.info.num_examples == {"train": 3, "val": 3, "test": 6}
    examples = [(Path(path).name, label) for path, label in dataset.get_train_examples()]
    assert examples == [("image_00003.jpg", 101), ("image_00001.jpg", 76), ("image_00002.jpg", 0)]


def test_flowers102_original_with_too_few_labels_is_an_error(draw, publish, tmp_path):
    contents = tmp_path / "contents"
    draw(contents / "images" / "jpg" / "image_00001.jpg")
    savemat(contents / "imagelabels.mat", {"labels": np.array([[1]], np.uint8)})
    savemat(contents / "setid.mat", {key: np.array([[2]]) for key in ("trnid", "valid", "tstid")})
    row = publish(spec("flowers102"), "original", contents)

    with pytest.raises(DataError, match="not laid out as flowers102"):
        open_dataset("flowers102", row=row, source="original")


def test_nus_wide_scene_shows_several_classes_in_an_image(root, draw, publish, tmp_path):
    row = spec("nus_wide_scene")
    base = root(row, "paddleclas")
    shown = {"0199_434752251.jpg": (6, 23), "0517_2715693311.jpg": (6, 13, 17, 23)}
    lines = []
    for name, classes in shown.items():
        draw(base / "images" / name)
        label = ",".join(str(int(number in classes)) for number in range(33))
        lines.append(f"images/{name}\t{label}")
    write(base / "multilabel_train_list.txt", lines * 10)
    write(base / "multilabel_test_list.txt", lines)
    row = publish(row, "paddleclas", tmp_path / "contents")

    dataset = NUSWideScene(row=row)

    assert dataset.info.is_multi_label
    assert dataset.info.num_examples == {"train": 18, "val": 2, "test": 2}
    assert [dataset.get_labels()[n] for n in dataset.get_test_examples()[1].label] == [
        "clouds", "lake", "ocean", "sky"
    ]  # fmt: skip


def test_an_unknown_source_names_those_there_are():
    with pytest.raises(UnknownNameError, match="Nearest names: paddleclas"):
        open_dataset("flowers102", source="paddle")
