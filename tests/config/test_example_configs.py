"""Every config of examples/configs is short, says how it is run, and builds its task."""

import json
import shlex
from pathlib import Path

import pytest

from hubcls.cli.configs import config_of
from hubcls.cli.main import main
from hubcls.cli.parsing import build_parser
from hubcls.config.building import read_config
from hubcls.config.reading import override
from hubcls.datasets.finding import spec

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = sorted((REPOSITORY / "examples" / "configs").glob("*.yaml"))
MOST_LINES = 40


@pytest.fixture
def beside_photos(tmp_path, photos, monkeypatch):
    """A working folder with the data that my_photos.yaml names."""
    (tmp_path / "photos").symlink_to(photos)
    images = sorted(photos.rglob("*.png")) + sorted(photos.rglob("*.jpg"))
    labels = ["dark|light", "dark", "light", ""]
    rows = [f"{image},{labels[place % 4]}" for place, image in enumerate(images)]
    (tmp_path / "several.csv").write_text("image,labels\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)


def test_there_are_configs_and_the_page_lists_them():
    page = (REPOSITORY / "examples" / "configs" / "README.md").read_text(encoding="utf-8")

    assert len(CONFIGS) >= 4
    assert [path.name for path in CONFIGS if f"({path.name})" not in page] == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_short_and_opens_with_its_command(path, monkeypatch):
    lines = path.read_text(encoding="utf-8").splitlines()
    monkeypatch.chdir(REPOSITORY)

    arguments = build_parser().parse_args(shlex.split(lines[0].removeprefix("# hubcls ")))

    assert len(lines) <= MOST_LINES
    assert arguments.verb == "train"
    assert Path(arguments.config).samefile(path)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_right_in_every_line(path, beside_photos):
    config = config_of(build_parser().parse_args(["train", "-c", str(path)]))

    assert "dataset" in config.calls


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_builds_its_task(path, beside_photos, teacher):
    task = read_config(path, map(override, without_files(path, teacher))).build_task()

    assert task.ingredients.dataset.num_labels == 2


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configs_command_runs_on_a_miniature_of_its_data(
    path, beside_photos, draw_miniature, save_teacher, tmp_path
):
    first_line = path.read_text(encoding="utf-8").splitlines()[0]
    command = shlex.split(first_line.removeprefix("# hubcls "))
    name = read_config(path).calls["dataset"].name
    if name == "fashion_mnist" and not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("needs Debian's package dataset-fashion-mnist")
    if name == "imagenet":
        draw_miniature(name)
        assert main(["datasets", "prepare", "imagenet", "--from", "ILSVRC2012"]) == 0
    elif name not in ("digits", "fashion_mnist", "photos"):
        draw_miniature(name)
    small = ["--weights", "none", "--input-size", "64", "--batch-size", "4", "--max-seconds", "1"]
    if "DistillationTask" in path.read_text(encoding="utf-8"):
        save_teacher(spec(name).class_names, tmp_path / "teacher")
        small += ["-o", "task.teacher=teacher"]

    command = [str(path) if word.endswith(path.name) else word for word in command]
    command = ["photos" if word == "path/to/photos" else word for word in command]
    assert main([*command, *small, "--checkpoint-dir", "run"]) == 0

    assert set(json.loads((tmp_path / "run" / "report.json").read_text())["evaluations"]) >= {"val"}
    assert (tmp_path / "run" / "best_model").is_dir()


def without_files(path, teacher):
    """Overrides by which a config needs neither its weights nor its own data or teacher."""
    text = path.read_text(encoding="utf-8")
    data = "dataset=several.csv" if "MultiLabelClassifierTask" in text else "dataset=photos"
    taught = [f"task.teacher={teacher}"] if "DistillationTask" in text else []
    return (data, "module.weights=null", "module.input_size=64", *taught)


@pytest.mark.slow
def test_the_digits_config_reaches_97_percent(tmp_path, capsys):
    path = REPOSITORY / "examples" / "configs" / "digits.yaml"

    assert main(["train", "-c", str(path), "--checkpoint-dir", str(tmp_path / "run")]) == 0

    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    accuracies = {row[0]: float(row[3]) for row in table if row and row[0] in ("val", "test")}
    assert min(accuracies["val"], accuracies["test"]) >= 0.97
