"""ImageNet-1k: miniature folders of ILSVRC2012's layout, as a user brings them."""

import shutil
from pathlib import Path

import pytest

from hubcls.cli.main import main
from hubcls.datasets import ImageNet1k, open_dataset
from hubcls.errors import DataError
from hubcls.imagenet import class_names, synsets

TENCH, TABBY = "n01440764", "n02123045"


@pytest.fixture
def ilsvrc(draw, tmp_path):
    """train/ with two class folders, val/ flat, and PaddlePaddle's lists with .jpeg."""
    folder = tmp_path / "ILSVRC2012"
    for synset in (TENCH, TABBY):
        for number in range(4):
            draw(folder / f"train/{synset}/{synset}_{number}.JPEG", seed=number)
    for number in range(2):
        draw(folder / f"val/ILSVRC2012_val_{number:08}.JPEG", seed=number)
    lines = [
        f"val/ILSVRC2012_val_{number:08}.jpeg {label}\n" for number, label in enumerate((281, 0))
    ]
    (folder / "val_list.txt").write_text("".join(lines))
    return folder


def output_of(capsys, *arguments):
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_class_folders_are_numbered_by_the_sorted_wordnet_ids(ilsvrc):
    dataset = ImageNet1k(ilsvrc)

    assert list(synsets()) == sorted(synsets())
    assert dataset.info.num_examples == {"train": 8, "val": 2}
    assert dataset.get_labels() == list(class_names())
    assert {(Path(path).parent.name, label) for path, label in dataset.get_train_examples()} == {
        (TENCH, 0), (TABBY, 281)
    }  # fmt: skip


def test_paddles_lists_find_the_files_that_the_archives_call_JPEG(ilsvrc):
    path, label = ImageNet1k(ilsvrc).get_val_examples()[0]

    assert Path(path).name == "ILSVRC2012_val_00000000.JPEG"
    assert label == 281


def test_a_train_list_wins_over_the_class_folders(ilsvrc):
    (ilsvrc / "train_list.txt").write_text(f"train/{TABBY}/{TABBY}_1.jpeg 281\n")

    assert ImageNet1k(ilsvrc).info.num_examples["train"] == 1


def test_val_may_have_class_folders(ilsvrc, draw):
    (ilsvrc / "val_list.txt").unlink()
    shutil.rmtree(ilsvrc / "val")
    draw(ilsvrc / f"val/{TABBY}/1.JPEG")

    assert ImageNet1k(ilsvrc).split("val").labels.tolist() == [281]


def test_prepare_lists_the_images_for_every_later_use(ilsvrc, capsys, home):
    (ilsvrc / f"train/{TABBY}/{TABBY}_3.JPEG").write_bytes(b"broken")
    before = sorted(path for path in ilsvrc.rglob("*"))

    text = output_of(capsys, "datasets", "prepare", "imagenet", "--from", str(ilsvrc))

    assert "imagenet with 7 train examples, 2 dev examples" in text
    assert "left out: 1" in text
    assert sorted(path for path in ilsvrc.rglob("*")) == before, "nothing is written there"
    dataset = open_dataset("imagenet")
    assert dataset.info.num_examples == {"train": 7, "val": 2}
    assert dataset.info.source == str(home / "datasets" / "imagenet")


def test_before_that_the_name_says_what_to_do():
    with pytest.raises(DataError, match="hubcls datasets prepare imagenet --from FOLDER"):
        open_dataset("ilsvrc2012")


def test_a_flat_val_folder_without_its_list_is_an_error(ilsvrc):
    (ilsvrc / "val_list.txt").unlink()

    with pytest.raises(DataError, match=r"val has no val_list.txt .* there are none"):
        ImageNet1k(ilsvrc)


def test_a_folder_that_is_no_class_is_an_error(ilsvrc):
    (ilsvrc / "train" / "n00000000").mkdir()

    with pytest.raises(DataError, match="n00000000 are no classes"):
        ImageNet1k(ilsvrc)


def test_other_data_sets_are_not_prepared_from_a_folder(capsys, tmp_path):
    assert main(["datasets", "prepare", "flowers", "--from", str(tmp_path)]) == 2
    assert "Known names: imagenet" in capsys.readouterr().err
