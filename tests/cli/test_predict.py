"""hubcls predict: names and probabilities in three forms."""

import csv
import io
import json

import pytest

from hubcls.cli.main import main


@pytest.fixture
def predict(checkpoint, photos, capsys):
    def run(*arguments):
        images = [str(photos / "dark" / "0.png"), str(photos / "light" / "9.png")]
        assert main(["predict", *images, "--checkpoint", str(checkpoint), *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_a_line_names_the_image_and_the_classes_by_probability(predict, photos):
    first, second = predict().splitlines()

    assert first.startswith(f"{photos}/dark/0.png: dark 0.99")
    assert second.startswith(f"{photos}/light/9.png: light 0.99")
    assert "light 0.0005" in first


def test_top_k_limits_the_answers(predict):
    assert ", " not in predict("--top-k", "1")


def test_json_is_an_object_a_line(predict, photos):
    objects = [json.loads(line) for line in predict("--json").splitlines()]

    assert [item["class_name"] for item in objects] == ["dark", "light"]
    assert objects[0]["source"] == f"{photos}/dark/0.png"
    assert objects[0]["probability"] == objects[0]["top"][0][1] > 0.99


def test_csv_is_a_row_a_class(predict):
    rows = list(csv.DictReader(io.StringIO(predict("--csv"))))

    assert [(row["rank"], row["class_name"]) for row in rows] == [
        ("1", "dark"), ("2", "light"), ("1", "light"), ("2", "dark"),
    ]  # fmt: skip


def test_a_folder_stands_for_its_images(checkpoint, photos, capsys):
    main(["predict", str(photos / "dark"), "--checkpoint", str(checkpoint)])

    assert len(capsys.readouterr().out.splitlines()) == 10


def test_the_best_model_folder_itself_will_do(checkpoint, photos, capsys):
    code = main(["predict", str(photos), "--checkpoint", str(checkpoint / "best_model")])

    assert code == 0


def test_a_missing_image_is_named(checkpoint, capsys):
    code = main(["predict", "nowhere.jpg", "--checkpoint", str(checkpoint)])

    assert code == 2
    assert "nowhere.jpg" in capsys.readouterr().err


def test_a_folder_without_a_classifier_is_named(photos, capsys):
    code = main(["predict", str(photos), "--checkpoint", str(photos)])

    assert code == 2
    assert "BundleError" in capsys.readouterr().err
