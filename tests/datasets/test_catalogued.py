"""PaddleHub's five data sets, from miniature archives of exactly their layouts."""

import logging
import shutil
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hubcls import datasets
from hubcls.datasets.catalogued import CataloguedDataset
from hubcls.datasets.finding import spec
from hubcls.datasets.preparing import prepare
from hubcls.downloads.locking import locked
from hubcls.errors import ArchiveError, DataError, DownloadError, OfflineError, UnknownNameError

PADDLEHUB = {  # name → class, folder of the list files within the archive
    "flowers": ("Flowers", "flower_photos"),
    "dogcat": ("DogCat", "dog-cat"),
    "stanforddogs": ("StanfordDogs", "StanfordDogs-120"),
    "indoor67": ("Indoor67", "Indoor67"),
    "food101": ("Food101", "food-101/images"),
}
LABEL_LIST = ["second", "first"]


@pytest.fixture
def paddlehub(draw, tmp_path):
    """The contents of a PaddleHub archive with two classes and ten images each."""

    def make(row):
        contents = tmp_path / "paddlehub"
        base = contents / row.sources["paddlehub"].base
        lines = []
        for number in range(20):
            path = f"class {number % 2}/{number}.jpg"
            draw(base / path, seed=number)
            lines.append(f"{path} {number % 2}\n")
        for name, part in (("train", lines[:12]), ("validate", lines[12:16]), ("test", lines[16:])):
            (base / f"{name}_list.txt").write_text("".join(part))
        (base / "label_list.txt").write_text("\n".join(LABEL_LIST) + "\n")
        return contents

    return make


@pytest.mark.parametrize("name", PADDLEHUB)
def test_paddlehubs_archive_becomes_its_data_set(name, publish, paddlehub, home):
    class_name, base = PADDLEHUB[name]
    row = publish(spec(name), "paddlehub", paddlehub(spec(name)))

    dataset = getattr(datasets, class_name)(row=row)

    assert str(dataset) == (
        f"Dataset: {name} with 12 train examples, 4 dev examples and 4 test examples"
    )
    assert dataset.get_labels() == LABEL_LIST, "the order of label_list.txt, not of the alphabet"
    assert dataset.info.licence == spec(name).licence
    assert dataset.info.source == "paddlehub"
    path, label = dataset.get_train_examples()[1]
    assert Path(path).relative_to(home / "datasets" / name / "paddlehub").as_posix() == (
        f"images/{base}/class 1/1.jpg"
    )
    assert label == 1


@pytest.mark.parametrize("name", PADDLEHUB)
def test_each_class_stands_for_its_row_of_the_catalogue(name, monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")
    file = spec(name).sources["paddlehub"].files[0]

    with pytest.raises(OfflineError, match=file.urls[0]):
        getattr(datasets, PADDLEHUB[name][0])()


def test_the_second_time_needs_neither_network_nor_archive(publish, paddlehub, home, monkeypatch):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    first = CataloguedDataset(row=row)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    again = CataloguedDataset(row=row)

    assert again.split("train").fingerprint() == first.split("train").fingerprint()
    assert not list(home.rglob("flower_photos.tar.gz"))


def test_an_archive_copied_by_hand_is_taken(publish, paddlehub, home, served, monkeypatch):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    downloads = home / "datasets" / "flowers" / "downloads"
    downloads.mkdir(parents=True)
    shutil.copy(served.folder / "flower_photos.tar.gz", downloads)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    assert CataloguedDataset(row=row).num_labels == 2


def test_a_half_made_folder_is_never_taken_for_a_finished_one(publish, paddlehub, home):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    half = home / "datasets" / "flowers" / ".paddlehub.unfinished" / "images" / "flower_photos"
    half.mkdir(parents=True)
    (half / "train_list.txt").write_text("stale")

    dataset = CataloguedDataset(row=row)

    assert dataset.info.num_examples["train"] == 12
    assert not half.exists()


def test_a_truncated_archive_makes_no_folder_and_is_not_trusted(publish, paddlehub, home, served):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    archive = served.folder / "flower_photos.tar.gz"
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError):
        prepare(row, "paddlehub")
    assert not (home / "datasets" / "flowers" / "paddlehub").exists()
    archive.write_bytes(whole)

    assert prepare(row, "paddlehub").base.is_dir()


def test_an_archive_without_lists_is_not_the_data_set(publish, paddlehub, unreachable):
    contents = paddlehub(spec("flowers"))
    (contents / "images" / "flower_photos" / "test_list.txt").unlink()
    row = unreachable(publish(spec("flowers"), "paddlehub", contents), "original")

    with pytest.raises(DownloadError, match=r"the archive holds no test_list\.txt"):
        CataloguedDataset(row=row)


def test_a_hostile_archive_writes_nothing(publish, paddlehub, served, home):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    with tarfile.open(served.folder / "flower_photos.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("flower_photos/../../../../../escaped"))

    with pytest.raises(ArchiveError, match="escaped"):
        prepare(row, "paddlehub")

    assert not list(home.parent.rglob("escaped"))


def test_whoever_comes_second_waits_for_the_first_to_prepare_the_folder(publish, paddlehub, home):
    row = publish(spec("flowers"), "paddlehub", paddlehub(spec("flowers")))
    folder = home / "datasets" / "flowers" / "paddlehub"
    second = threading.Thread(target=prepare, args=(row,))

    with locked(folder):
        second.start()
        second.join(timeout=0.5)
        assert second.is_alive()
        assert not folder.with_name(".paddlehub.unfinished").exists()
    second.join()

    assert folder.is_dir()


def test_unreadable_images_are_left_out_and_reported(publish, paddlehub):
    contents = paddlehub(spec("flowers"))
    (contents / "images" / "flower_photos" / "class 0" / "2.jpg").write_bytes(b"")
    row = publish(spec("flowers"), "paddlehub", contents)

    dataset = CataloguedDataset(row=row)

    assert dataset.info.num_examples["train"] == 11
    assert [Path(path).name for path, _ in dataset.info.excluded] == ["2.jpg"]


def test_the_original_is_taken_when_paddlehubs_archive_is_gone(
    publish, unreachable, draw, tmp_path, caplog
):
    caplog.set_level(logging.INFO, logger="hubcls")
    make_flower_folders(draw, tmp_path / "original", count=10)
    row = unreachable(publish(spec("flowers"), "original", tmp_path / "original"), "paddlehub")

    dataset = CataloguedDataset(row=row)

    assert dataset.info.source == "original"
    assert "flowers cannot be had from paddlehub" in caplog.text


def test_a_source_asked_for_is_not_exchanged_for_another(publish, unreachable, draw, tmp_path):
    make_flower_folders(draw, tmp_path / "original", count=3)
    row = unreachable(publish(spec("flowers"), "original", tmp_path / "original"), "paddlehub")

    with pytest.raises(DownloadError, match="HTTP 404"):
        CataloguedDataset(row=row, source="paddlehub")


def test_what_is_on_disk_wins_over_a_download(publish, unreachable, draw, tmp_path):
    make_flower_folders(draw, tmp_path / "original", count=3)
    row = publish(spec("flowers"), "original", tmp_path / "original")
    prepare(row, "original")

    assert prepare(unreachable(row, "paddlehub", "original")).source == "original"


def test_every_address_that_failed_is_named(unreachable):
    row = unreachable(spec("dogcat"), "paddlehub", "original")

    with pytest.raises(DownloadError) as raised:
        prepare(row)

    assert "dog-cat.tar.gz" in str(raised.value)
    assert "kagglecatsanddogs_5340.zip" in str(raised.value)


def test_an_unknown_source_is_an_error():
    with pytest.raises(UnknownNameError, match="paddlehub"):
        datasets.Flowers(source="padlehub")


def test_flowers_original_gets_paddlehubs_label_order_and_a_fixed_split(
    publish, draw, tmp_path, home
):
    make_flower_folders(draw, tmp_path / "original", count=10)
    row = publish(spec("flowers"), "original", tmp_path / "original")

    dataset = CataloguedDataset(row=row, source="original")

    assert dataset.get_labels() == ["roses", "tulips", "daisy", "sunflowers", "dandelion"]
    assert dataset.info.num_examples == {"train": 40, "val": 5, "test": 5}
    assert np.bincount(dataset.split("test").labels).tolist() == [1] * 5
    for path, label in dataset.get_train_examples():
        assert Path(path).parent.name == dataset.get_labels()[label]
    before = dataset.split("val").images
    shutil.rmtree(home / "datasets" / "flowers" / "original")
    assert CataloguedDataset(row=row, source="original").split("val").images == before


def test_cats_and_dogs_original_drops_and_reports_the_broken_files(publish, draw, tmp_path):
    for folder in ("Cat", "Dog"):
        for number in range(10):
            draw(tmp_path / "original" / "images" / "PetImages" / folder / f"{number}.jpg")
        (tmp_path / "original" / "images" / "PetImages" / folder / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "original" / "images" / "PetImages" / "Cat" / "666.jpg").write_bytes(b"")
    row = publish(spec("dogcat"), "original", tmp_path / "original")

    dataset = CataloguedDataset(row=row, source="original")

    assert dataset.get_labels() == ["cat", "dog"]
    assert sum(dataset.info.num_examples.values()) == 20
    assert [Path(path).name for path, _ in dataset.info.excluded] == ["666.jpg"]


def test_stanford_dogs_original_keeps_its_official_test_split(publish, draw, tmp_path):
    breeds = ["n02085620-Chihuahua", "n02086240-Shih-Tzu"]
    original = tmp_path / "original"
    (original / "lists").mkdir(parents=True)
    for phase, numbers in (("train", range(10)), ("test", range(10, 14))):
        paths = [f"{breed}/{number}.jpg" for breed in breeds for number in numbers]
        for path in paths:
            draw(original / "images" / "Images" / path)
        cells = np.array(paths, dtype=object).reshape(-1, 1)
        savemat(original / "lists" / f"{phase}_list.mat", {"file_list": cells})
    row = publish(spec("stanforddogs"), "original", original)

    dataset = CataloguedDataset(row=row, source="original")

    assert dataset.get_labels() == ["Chihuahua", "Shih-Tzu"]
    assert dataset.info.num_examples == {"train": 18, "val": 2, "test": 8}
    assert {Path(path).stem for path in dataset.split("test").images} == {"10", "11", "12", "13"}


def test_indoor67_original_keeps_its_official_lists(publish, draw, tmp_path):
    original = tmp_path / "original"
    for phase, numbers in (("Train", range(10)), ("Test", range(10, 13))):
        paths = [
            f"{room}/{number} a.jpg" for room in ("gym", "airport_inside") for number in numbers
        ]
        for path in paths:
            draw(original / "images" / "Images" / path)
        (original / f"{phase}Images.txt").write_text("\n".join(paths))
    row = publish(spec("indoor67"), "original", original)

    dataset = CataloguedDataset(row=row, source="original")

    assert dataset.get_labels() == ["airport_inside", "gym"]
    assert dataset.info.num_examples == {"train": 18, "val": 2, "test": 6}


def test_food101_original_keeps_its_official_lists(publish, draw, tmp_path):
    root = tmp_path / "original" / "images" / "food-101"
    (root / "meta").mkdir(parents=True)
    for phase, numbers in (("train", range(10)), ("test", range(10, 13))):
        stems = [f"{dish}/{number}" for dish in ("waffles", "apple_pie") for number in numbers]
        for stem in stems:
            draw(root / "images" / f"{stem}.jpg")
        (root / "meta" / f"{phase}.txt").write_text("\n".join(stems) + "\n")
    row = publish(spec("food101"), "original", tmp_path / "original")

    dataset = CataloguedDataset(row=row, source="original")

    assert dataset.get_labels() == ["apple_pie", "waffles"]
    assert dataset.info.num_examples == {"train": 18, "val": 2, "test": 6}


def test_files_that_are_not_laid_out_as_the_row_says_are_an_error(publish, draw, tmp_path):
    draw(tmp_path / "original" / "images" / "elsewhere" / "1.jpg")
    row = publish(spec("flowers"), "original", tmp_path / "original")

    with pytest.raises(DataError, match="not laid out as class_folders"):
        prepare(row, "original")


def make_flower_folders(draw, folder, *, count):
    for name in spec("flowers").class_names:
        for number in range(count):
            draw(folder / "images" / "flower_photos" / name / f"{number}.jpg", seed=number)
    (folder / "images" / "flower_photos" / "LICENSE.txt").write_text("CC BY 2.0")
