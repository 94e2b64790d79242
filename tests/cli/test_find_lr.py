"""hubcls find-lr, and the flag that chooses the task."""

import numpy as np
import pytest
from PIL import Image

import hubcls
from hubcls.cli.main import main

FLAGS = ["--input-size", "32", "--no-augmentation", "--batch-size", "8"]


@pytest.fixture
def several(tmp_path):
    """A table of 40 squares that are red, green, both or neither."""
    lines = []
    for place in range(40):
        is_red, is_green = place % 2, place // 2 % 2
        pixels = np.zeros((16, 16, 3), np.uint8) + np.uint8([200 * is_red, 200 * is_green, place])
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
        names = ["red"] * is_red + ["green"] * is_green
        lines.append(f"{place}.png,{'|'.join(names)}")
    (tmp_path / "table.csv").write_text("image,labels\n" + "\n".join(lines) + "\n")
    return tmp_path / "table.csv"


def test_a_rate_is_suggested_and_drawn(tmp_path, capsys):
    command = ["find-lr", "--dataset", "digits", "--train-examples", "200", *FLAGS]

    code = main(
        [*command, "--strategy", "default", "--num-steps", "20", "--lowest", "1e-5",
         "--highest", "0.1", "--out", str(tmp_path / "rates.png")]
    )  # fmt: skip

    printed = capsys.readouterr().out
    assert code == 0
    assert "suggested: --learning-rate" in printed
    assert Image.open(tmp_path / "rates.png").format == "PNG"


@pytest.mark.slow
def test_a_table_with_several_labels_is_learned_and_predicted(several, tmp_path, capsys):
    folder = tmp_path / "ckpt"
    train = ["train", "--dataset", str(several), "--input-size", "32", "--no-augmentation"]

    assert main([*train, "--checkpoint-dir", str(folder)]) == 2
    assert "--task multi_label" in capsys.readouterr().err
    flags = ["--task", "multi_label", "--num-epoch", "0", "--checkpoint-dir", str(folder)]
    assert main([*train, *flags]) == 0
    assert "map" in capsys.readouterr().out
    images = [str(tmp_path / f"{place}.png") for place in (0, 1, 2, 3)]
    assert main(["predict", *images, "--checkpoint", str(folder)]) == 0

    shown = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    names = [{part.split(" ")[0] for part in line.split(", ")} for line in shown]
    assert names == [{"(none)"}, {"red"}, {"green"}, {"red", "green"}]
    assert main(["eval", "--checkpoint", str(folder), "--dataset", str(several)]) == 0
    assert hubcls.load(folder).bundle.problem.thresholds
