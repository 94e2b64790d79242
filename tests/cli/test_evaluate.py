"""hubcls eval: a saved classifier on a data set."""

import json
import shutil

import pytest
from PIL import Image

from hubcls.cli.main import main


@pytest.fixture
def evaluate(checkpoint, photos, capsys):
    def run(*arguments):
        command = ["eval", "--checkpoint", str(checkpoint), "--dataset", str(photos), *arguments]
        assert main(command) == 0
        return capsys.readouterr().out

    return run


def test_scores_and_a_line_for_each_class_are_printed(evaluate):
    text = evaluate("--phase", "train", "--metrics", "accuracy", "f1")

    assert "accuracy  1.0000" in text
    assert "f1        1.0000" in text
    assert {line.split()[0] for line in text.splitlines()[-2:]} == {"dark", "light"}


def test_json_holds_the_whole_evaluation(evaluate):
    evaluation = json.loads(evaluate("--phase", "train", "--json"))

    assert evaluation["phase"] == "train"
    assert evaluation["scores"] == {"accuracy": 1.0, "f1": 1.0}
    assert sum(map(sum, evaluation["confusion"])) == evaluation["num_examples"]


def test_the_test_split_is_the_default(evaluate):
    assert "split     test" in evaluate()


def test_other_classes_than_the_classifiers_are_an_error(checkpoint, tmp_path, capsys):
    for name in ("big", "small"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("L", (8, 8), number).save(tmp_path / name / f"{number}.png")

    code = main(["eval", "--checkpoint", str(checkpoint), "--dataset", str(tmp_path)])

    assert code == 2
    assert "big, small" in capsys.readouterr().err


def test_an_argument_that_the_data_set_does_not_take_ends_with_2(checkpoint, capsys):
    command = ["eval", "--checkpoint", str(checkpoint), "--dataset", "digits"]

    code = main([*command, "--on-error", "raise"])

    assert code == 2
    assert "--on-error: dataset (Digits) has no key 'on_error'" in capsys.readouterr().err


def test_a_score_that_has_no_value_is_null_in_json(checkpoint, photos, tmp_path, capsys):
    for name in ("dark", "light"):
        shutil.copytree(photos / name, tmp_path / "train" / name)
    shutil.copytree(photos / "light", tmp_path / "test" / "light")
    command = ["eval", "--checkpoint", str(checkpoint), "--dataset", str(tmp_path)]

    code = main([*command, "--json", "--metrics", "accuracy", "auc"])

    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert code == 0
    assert printed["scores"] == {"accuracy": 1.0, "auc": None}
    assert [row["auc"] for row in printed["per_class"]] == [None, None]


def test_an_unknown_metric_names_the_known_ones(checkpoint, photos, capsys):
    code = main(
        ["eval", "--checkpoint", str(checkpoint), "--dataset", str(photos), "--metrics", "acuracy"]
    )

    assert code == 2
    assert "accuracy" in capsys.readouterr().err


def test_a_config_names_the_data_set_and_the_metrics(checkpoint, photos, tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text(f"dataset: {photos}\ntask: {{metrics_choices: [f1, accuracy]}}\n")

    code = main(["eval", "-c", str(path), "--checkpoint", str(checkpoint), "--json"])

    scores = json.loads(capsys.readouterr().out)["scores"]
    assert code == 0
    assert list(scores) == ["f1", "accuracy"]


def test_flags_win_over_the_config(checkpoint, photos, tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text("dataset: digits\ntask: {metrics_choices: [f1]}\n")
    command = ["eval", "-c", str(path), "--checkpoint", str(checkpoint), "--json"]

    code = main([*command, "--dataset", str(photos), "--metrics", "accuracy"])

    assert code == 0
    assert list(json.loads(capsys.readouterr().out)["scores"]) == ["accuracy"]


def test_without_a_data_set_eval_says_how_to_name_one(checkpoint, capsys):
    assert main(["eval", "--checkpoint", str(checkpoint)]) == 2
    assert "add --dataset" in capsys.readouterr().err
