"""hubcls augment: a contact sheet of what training sees."""

import numpy as np
import pytest
from PIL import Image

from hubcls.cli.augment import augmentation_sheet
from hubcls.cli.main import main
from hubcls.datasets.base import Split
from hubcls.images.augmenting import Augmentation
from hubcls.images.operations import Cutout
from hubcls.preprocessing import Preprocessing


@pytest.fixture
def draw(photos, tmp_path, capsys):
    def run(*arguments, out="sheets/sheet.png"):
        flags = ["--dataset", str(photos), "--input-size", "32", "--out", str(tmp_path / out)]
        code = main(["augment", *flags, *arguments])
        return code, tmp_path / out, capsys.readouterr()

    return run


def test_a_sheet_has_a_column_for_each_operation_and_a_row_for_each_image(draw):
    code, path, output = draw("--operations", "cutout", "mixup", "--num-images", "3")

    # Four columns (the original, crop and flip, and these two) of 128 pixels and gaps of 6.
    sheet = Image.open(path)
    assert code == 0
    assert sheet.width == 6 + 4 * 134
    assert 3 * 134 < sheet.height < 3 * 134 + 60
    assert str(path) in output.out


def test_without_names_all_operations_are_drawn(draw):
    _, path, _ = draw("--num-images", "1")

    assert Image.open(path).width == 6 + 15 * 134


def test_a_config_says_what_is_drawn(draw, tmp_path):
    config = tmp_path / "x.yaml"
    config.write_text("pipeline: {augmentation: {operations: [cutout]}}\nrun: {seed: 3}\n")

    _, path, _ = draw("-c", str(config), "--num-images", "2", "-o", "run.seed=1", out="of.png")
    _, same, _ = draw("--operations", "cutout", "--num-images", "2", "--seed", "1")

    assert path.read_bytes() == same.read_bytes()


def test_a_config_without_operations_shows_none(draw, tmp_path):
    (tmp_path / "x.yaml").write_text("pipeline: {data_augmentation: false}\n")

    _, path, _ = draw("-c", str(tmp_path / "x.yaml"), "--num-images", "1")

    assert Image.open(path).width == 6 + 134


def test_the_seed_decides_what_is_drawn(draw):
    sheets = [
        draw("--operations", "cutout", "--seed", seed, out=f"{number}.png")[1].read_bytes()
        for number, seed in enumerate(["1", "1", "2"])
    ]

    assert sheets[0] == sheets[1] != sheets[2]


def test_an_unknown_operation_lists_the_nearest(draw):
    code, path, output = draw("--operations", "cutot")

    assert code == 2
    assert "cutout" in output.err
    assert not path.exists()


def test_a_file_that_is_no_picture_is_refused(draw):
    code, _, output = draw(out="sheet.txt")

    assert code == 2
    assert "must end in .png" in output.err


def test_an_augmentation_that_neither_crops_nor_flips_has_no_such_column():
    split = Split(np.full((4, 16, 16, 3), 200, np.uint8), np.zeros(4))
    quiet = Augmentation(horizontal_flip=False, min_area=1.0, operations=(Cutout(fill=(0, 0, 0)),))

    sheet = augmentation_sheet(split, Preprocessing(16, 16), quiet, num_images=4)

    tiles = np.asarray(sheet)[-4 * 134 :]
    assert sheet.width == 6 + 2 * 134
    assert np.all(tiles[:, :134] >= 199)
    assert np.any(tiles[:, 140:] == 0)
