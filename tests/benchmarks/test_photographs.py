"""The photographs to measure on: the same files each time, and no two alike."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photographs():
    pytest.importorskip("skimage")
    import photographs

    return photographs


def test_the_same_seed_makes_the_same_files(photographs, tmp_path):
    first = photographs.make(tmp_path / "a", train=3, val=1)
    second = photographs.make(tmp_path / "b", train=3, val=1)

    assert contents(first) == contents(second)
    assert len(contents(first)) == 4


def test_another_seed_makes_other_files(photographs, tmp_path):
    first = photographs.make(tmp_path / "a", train=3, val=1)
    second = photographs.make(tmp_path / "b", train=3, val=1, seed=1)

    assert contents(first).keys() == contents(second).keys()
    assert not set(contents(first).values()) & set(contents(second).values())


def test_photographs_are_as_large_as_those_of_a_camera_scaled_down(photographs, tmp_path):
    folder = photographs.make(tmp_path, train=4, val=0)

    sizes = {Image.open(path).size for path in folder.rglob("*.jpg")}

    assert sizes == {(500, 375)}
    assert 15 < photographs.mean_size(folder) < 120


def test_what_is_there_already_is_not_made_again(photographs, tmp_path):
    folder = photographs.make(tmp_path, train=2, val=0)
    path = next(folder.rglob("*.jpg"))
    path.write_bytes(b"mine")

    photographs.make(tmp_path, train=2, val=0)

    assert path.read_bytes() == b"mine"


def test_training_and_validation_look_at_different_fields(photographs):
    fields = photographs.FIELDS

    assert not set(fields["train"]) & set(fields["val"])
    assert len(fields["train"]) + len(fields["val"]) == 6


def test_a_window_stays_within_its_field(photographs, monkeypatch):
    source = Image.new("RGB", (600, 400))
    source.paste((255, 255, 255), (200, 0, 400, 200))  # column 1, row 0: validation's
    monkeypatch.setattr(photographs, "opened", lambda name: source)

    seen = [
        np.asarray(photographs.window("cat", "train", np.random.default_rng(seed)))
        for seed in range(20)
    ]

    # Bicubic kernels reach over the edge by a pixel or two.
    assert all((pixels > 128).mean() < 0.02 for pixels in seen)


def test_copies_are_readable_and_all_different(photographs, tmp_path):
    folder = photographs.make(tmp_path / "a", train=3, val=1)

    copied = photographs.copies(folder, tmp_path / "b", 9)

    files = contents(copied)
    assert len(set(files.values())) == len(files) == 9
    for path in copied.rglob("*.jpg"):
        Image.open(path).load()


def test_copies_can_be_small(photographs, tmp_path):
    folder = photographs.make(tmp_path / "a", train=2, val=0)

    copied = photographs.copies(folder, tmp_path / "b", 3, side=100)

    assert {Image.open(path).size for path in copied.rglob("*.jpg")} == {(100, 75)}


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.jpg")
    }
