import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from hubcls.datasets import ImageFolder, LabelKeeping
from hubcls.errors import DataError, UnreadableImagesError


def names_of(split):
    return [Path(path).name for path in split.images]


def test_class_folders_are_split_by_class(photos):
    dataset = ImageFolder(photos)

    assert dataset.info.class_names == ("cat", "dog")
    assert dataset.info.num_examples == {"train": 22, "val": 4, "test": 4}
    for phase in ("train", "val", "test"):
        assert set(dataset.split(phase).labels) == {0, 1}


def test_every_image_is_in_exactly_one_split(photos):
    dataset = ImageFolder(photos)

    found = [path for phase in ("train", "val", "test") for path in dataset.split(phase).images]

    assert sorted(found) == sorted(map(str, photos.rglob("*.jpg")))


def test_labels_are_those_of_the_folders(photos):
    for image, label in ImageFolder(photos).get_train_examples():
        assert Path(image).parent.name == ("cat", "dog")[label]


def test_the_split_depends_on_the_seed_alone(photos, tmp_path):
    moved = shutil.copytree(photos, tmp_path / "elsewhere")

    first, again, other = (
        names_of(ImageFolder(folder, seed=seed).split("val"))
        for folder, seed in ((photos, 1), (moved, 1), (photos, 2))
    )

    assert first == again != other


def test_there_need_be_no_test_split(photos):
    dataset = ImageFolder(photos, val_fraction=0.2, test_fraction=0)

    assert dataset.info.num_examples == {"train": 24, "val": 6}


@pytest.mark.parametrize("val_name", ["val", "valid", "validation", "dev", "Val"])
def test_split_folders_are_taken_as_they_are(photos, draw, tmp_path, val_name):
    photos.rename(tmp_path / "train")
    draw(tmp_path / val_name / "cat" / "a.png")
    draw(tmp_path / "test" / "dog" / "b.png")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("train", val_name, "test"):
        (tmp_path / name).rename(root / name)

    dataset = ImageFolder(root)

    assert dataset.info.num_examples == {"train": 30, "val": 1, "test": 1}
    assert dataset.split("test").labels.tolist() == [1]


def test_a_missing_val_folder_is_cut_from_train(photos, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="hubcls")
    photos.rename(tmp_path / "train")
    (tmp_path / "root").mkdir()
    (tmp_path / "train").rename(tmp_path / "root" / "train")

    dataset = ImageFolder(tmp_path / "root", val_fraction=0.2)

    assert dataset.info.num_examples == {"train": 24, "val": 6}
    assert "no validation split" in caplog.text


def test_train_may_be_a_class_of_vehicles(draw, tmp_path):
    for name in ("bus", "train"):
        for number in range(9):
            draw(tmp_path / "root" / name / f"{number}.png", seed=number)

    dataset = ImageFolder(tmp_path / "root")

    assert dataset.info.class_names == ("bus", "train")


def test_images_lie_deeper_and_in_many_formats(photos, draw):
    for name in ("x.png", "x.bmp", "x.gif", "x.webp", "X.JPEG", "no_extension"):
        path = photos / "cat" / "deeper" / "down" / (name if "." in name else "temporary.png")
        draw(path)
        if "." not in name:
            path.rename(path.with_name(name))

    dataset = ImageFolder(photos)

    assert sum(dataset.info.num_examples.values()) == 36
    needing = {
        Path(path).name
        for phase in ("train", "val", "test")
        for path, needs in zip(
            dataset.split(phase).images, dataset.split(phase).needs_pillow, strict=True
        )
        if needs
    }
    assert {"x.bmp", "x.gif"} <= needing
    assert not {"00.jpg", "x.webp"} & needing


def test_what_is_no_image_is_left_out_and_counted(photos, caplog):
    caplog.set_level(logging.INFO, logger="hubcls")
    for name in (".DS_Store", "Thumbs.db", "labels.txt", ".hidden.jpg"):
        (photos / "cat" / name).write_text("no image")
    (photos / ".git").mkdir()
    (photos / "__MACOSX").mkdir()

    dataset = ImageFolder(photos)

    assert sum(dataset.info.num_examples.values()) == 30
    assert "2 files that are no images" in caplog.text


def test_links_to_images_are_followed_and_circles_end(photos, tmp_path):
    shutil.move(photos / "dog", tmp_path / "dogs")
    (photos / "dog").symlink_to(tmp_path / "dogs")
    (photos / "cat" / "up").symlink_to(photos / "cat")

    assert sum(ImageFolder(photos).info.num_examples.values()) == 30


def test_every_unreadable_image_is_listed_before_training(photos):
    (photos / "cat" / "empty.jpg").touch()
    half = (photos / "dog" / "00.jpg").read_bytes()
    (photos / "dog" / "half.jpg").write_bytes(half[: len(half) // 2])
    (photos / "dog" / "text.jpg").write_text("not an image")

    with pytest.raises(UnreadableImagesError) as raised:
        ImageFolder(photos)

    for name in ("empty.jpg", "half.jpg", "text.jpg"):
        assert name in str(raised.value)


def test_unreadable_images_can_be_left_out_and_are_then_reported(photos, caplog):
    (photos / "cat" / "empty.jpg").touch()

    dataset = ImageFolder(photos, on_error="exclude")

    ((path, reason),) = dataset.info.excluded
    assert path == str(photos / "cat" / "empty.jpg")
    assert reason
    assert "left out" in caplog.text
    assert sum(dataset.info.num_examples.values()) == 30


def test_an_empty_class_is_an_error(photos):
    (photos / "yak").mkdir()

    with pytest.raises(DataError, match="yak"):
        ImageFolder(photos)


def test_a_class_of_unreadable_images_is_an_error_even_when_they_are_excluded(photos):
    (photos / "yak").mkdir()
    (photos / "yak" / "1.jpg").touch()

    with pytest.raises(DataError, match="yak"):
        ImageFolder(photos, on_error="exclude")


def test_one_class_is_an_error(photos):
    shutil.rmtree(photos / "dog")

    with pytest.raises(DataError, match=r"1 class folder\(s\) cat"):
        ImageFolder(photos)


def test_a_class_that_is_only_in_val_is_an_error(photos, draw, tmp_path):
    (tmp_path / "root").mkdir()
    photos.rename(tmp_path / "root" / "train")
    draw(tmp_path / "root" / "val" / "yak" / "1.png")

    with pytest.raises(DataError, match="yak"):
        ImageFolder(tmp_path / "root")


def test_two_folders_for_one_split_are_an_error(photos, tmp_path):
    (tmp_path / "root" / "val").mkdir(parents=True)
    (tmp_path / "root" / "valid").mkdir()
    photos.rename(tmp_path / "root" / "train")

    with pytest.raises(DataError, match="both mean the val split"):
        ImageFolder(tmp_path / "root")


def test_a_path_that_is_no_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        ImageFolder(tmp_path / "nothing")


def test_the_user_says_which_augmentations_keep_the_label(photos):
    keeps_label = LabelKeeping(horizontal_flip=False)

    assert ImageFolder(photos, keeps_label=keeps_label).info.keeps_label == keeps_label


def test_paths_are_absolute_so_that_the_working_folder_may_change(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)

    dataset = ImageFolder("photos")

    assert all(Path(path).is_absolute() for path in dataset.split("train").images)
    assert dataset.info.name == "photos"


def test_labels_are_int64(photos):
    assert ImageFolder(photos).split("train").labels.dtype == np.int64
