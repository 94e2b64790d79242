"""Images without labels, as distillation streams them."""

import pytest

from hubcls.datasets import unlabelled_images
from hubcls.errors import DataError, UnreadableImagesError
from hubcls.pipeline.building import TrainingStream
from hubcls.preprocessing import Preprocessing


def test_a_folder_gives_the_images_of_all_its_folders(photos):
    split = unlabelled_images(photos)

    assert len(split) == 30
    assert split.labels.shape == (30, 0)
    assert not split.needs_pillow.any()


def test_a_list_holds_a_path_on_each_line(photos):
    (photos / "some.txt").write_text("cat/00.jpg\ndog/01.jpg\n")

    assert unlabelled_images(photos / "some.txt").images == (
        str(photos / "cat" / "00.jpg"), str(photos / "dog" / "01.jpg")
    )  # fmt: skip


@pytest.mark.parametrize("label", ["7", "0,1,1"])
def test_labels_in_a_list_are_left_aside(label, photos):
    (photos / "some.txt").write_text(f"cat/00.jpg {label}\ndog/01.jpg {label}\n")

    assert len(unlabelled_images(photos / "some.txt")) == 2


def test_lines_with_and_without_labels_are_an_error(photos):
    (photos / "some.txt").write_text("cat/00.jpg 1\ndog/01.jpg\n")

    with pytest.raises(DataError, match=r"some.txt:1: no such file: .*00.jpg 1"):
        unlabelled_images(photos / "some.txt")


def test_an_unreadable_image_is_an_error_or_left_out(photos):
    (photos / "cat" / "00.jpg").write_bytes(b"")

    with pytest.raises(UnreadableImagesError, match=r"00\.jpg"):
        unlabelled_images(photos)
    assert len(unlabelled_images(photos, on_error="exclude")) == 29


@pytest.mark.parametrize("name", ["empty", "missing", "empty.txt"])
def test_nothing_is_an_error(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").touch()

    with pytest.raises(DataError, match=r"holds no images|cannot be read"):
        unlabelled_images(tmp_path / name)


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"")

    with pytest.raises(DataError, match="none of the images"):
        unlabelled_images(tmp_path, on_error="exclude")


def test_they_stream_as_training_images_do(photos):
    stream = TrainingStream(
        unlabelled_images(photos),
        num_classes=0,
        preprocessing=Preprocessing(height=8, width=8),
        batch_size=16,
        augmentation=None,
        seed=0,
    )

    [(images, targets)] = stream.batches(1, 1)

    assert images.shape == (16, 8, 8, 3)
    assert targets.shape == (16, 0)
