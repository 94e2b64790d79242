"""Every example runs, and leaves what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hubcls.datasets.folder import ImageFolder

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "examples" / "image_classification"
TESTED = {
    "custom_dataset.py",
    "custom_task.py",
    "flags.py",
    "img_classifier.py",
    "migrate_from_paddlehub.py",
    "predict.py",
    "three_steps.py",
}


def test_every_example_is_tested():
    assert {path.name for path in FOLDER.glob("*.py")} == TESTED


def test_three_steps(run_example, tmp_path):
    printed = run_example("three_steps.py")

    assert (tmp_path / "ckpt_digits" / "best_model" / "model.keras").is_file()
    assert printed.split()[0] in "0123456789"


def test_custom_dataset(run_example, tmp_path):
    printed = run_example("custom_dataset.py")

    assert (tmp_path / "ckpt_shapes" / "run" / "report.json").is_file()
    assert printed.count("000.png") == 3


def test_custom_task(run_example, tmp_path):
    run_example("custom_task.py")

    assert (tmp_path / "ckpt_own_head" / "best_model" / "model.keras").is_file()


def test_migrate_from_paddlehub(run_example, tmp_path):
    printed = run_example("migrate_from_paddlehub.py")

    assert (tmp_path / "cv_finetune_turtorial_demo" / "best_model").is_dir()
    assert "daisy" in printed or "roses" in printed


def test_training_and_prediction_with_paddlehubs_flags(run_example, photos, tmp_path):
    flags = ["--checkpoint_dir", "run", "--use_gpu", "False", "--dataset", photos]

    trained = run_example(
        "img_classifier.py", *flags, "--num_epoch", "1", "--batch_size", "8",
        "--module", "resnet50", "--use_data_parallel", "True",
    )  # fmt: skip
    predicted = run_example("predict.py", *flags, "--module", "resnet50")
    named = run_example("predict.py", *flags, photos / "daisy" / "0.jpg")

    assert "val: " in trained
    assert "test: " in trained
    assert "everything lies in run" in trained
    assert len(predicted.splitlines()) == len(ImageFolder(photos).split("test"))
    assert named.startswith(f"{photos}/daisy/0.jpg: ")


def test_another_run_in_the_same_folder_is_refused_in_one_message(run_example, photos, capsys):
    flags = ["--checkpoint_dir", "run", "--num_epoch", "0"]
    run_example("img_classifier.py", *flags)

    with pytest.raises(SystemExit) as ended:
        run_example("img_classifier.py", *flags, "--dataset", photos)

    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "CheckpointError: run holds another run" in told
    assert "Traceback" not in told


def test_predicting_without_a_classifier_ends_in_one_message(run_example, capsys):
    with pytest.raises(SystemExit) as ended:
        run_example("predict.py", "--checkpoint_dir", "nowhere")

    assert ended.value.code == 2
    assert "BundleError: nowhere is not a folder" in capsys.readouterr().err


def test_sample_images_are_written_where_the_data_set_has_none(run_example, tmp_path):
    run_example("img_classifier.py", "--checkpoint_dir", "run", "--num_epoch", "0")

    printed = run_example("predict.py", "--checkpoint_dir", "run")

    assert len(list((tmp_path / "run" / "test_images").glob("*_is_*.png"))) == 5
    assert len(printed.splitlines()) == 5


@pytest.mark.slow
def test_the_first_command_of_the_readme_reaches_98_percent_on_digits(tmp_path):
    command = [sys.executable, FOLDER / "img_classifier.py", "--checkpoint_dir", tmp_path / "run"]

    subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": FOLDER.parents[1]},
        check=True,
        timeout=600,
    )

    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert next(iter(report["evaluations"]["val"]["scores"].values())) >= 0.98


@pytest.fixture
def filled_environment(tmp_path):
    """Variables of an active environment that already holds what the scripts want."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(REPOSITORY),
        "VIRTUAL_ENV": str(tmp_path),
    }
    wanted = '. examples/environment.sh; wanted_state "$PWD" ""'
    with (tmp_path / "hubcls-installed").open("w") as file:
        subprocess.run(
            ["sh", "-c", wanted], cwd=REPOSITORY, env=environment, stdout=file, check=True
        )
    return environment


@pytest.mark.parametrize("name", ["run_classifier.sh", "run_predict.sh"])
def test_a_script_shows_the_flags_from_any_folder(name, filled_environment, tmp_path):
    result = subprocess.run(
        ["sh", FOLDER / name, "--help"],
        cwd=tmp_path,
        env=filled_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert result.returncode == 0, result.stderr
    assert "--checkpoint_dir" in result.stdout
    assert "Installing" not in result.stdout


@pytest.mark.parametrize("name", ["img_classifier.py", "predict.py"])
def test_help_names_paddlehubs_flags(name, run_example, capsys):
    with pytest.raises(SystemExit):
        run_example(name, "--help")

    text = capsys.readouterr().out
    for flag in ("--module", "--dataset", "--batch_size", "--checkpoint_dir", "--use_gpu"):
        assert flag in text
