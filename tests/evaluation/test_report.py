import json

import numpy as np
import pytest
from PIL import Image

from hubcls.datasets.base import DatasetInfo
from hubcls.evaluation.report import Report, environment, report_figure, write_report

HISTORY = [
    {"step": 0, "val/acc": 0.3, "val/loss": 1.2},
    {"step": 9, "train/acc": 0.5, "train/loss": 1.0, "val/acc": 0.6, "val/loss": 0.9},
]


@pytest.fixture
def report(make_evaluation):
    return Report(
        module={"name": "efficientnet_lite0_imagenet", "licence": "Apache-2.0"},
        dataset=DatasetInfo(
            "flowers",
            ("class 0", "class 1", "class 2"),
            num_examples={"train": 100, "val": 20, "test": 60},
            excluded=(("rose/7.jpg", "the file is truncated"),),
            licence="CC-BY 2.0",
        ),
        evaluations={"val": make_evaluation(phase="val"), "test": make_evaluation()},
        history=HISTORY,
        run={"seconds": np.float32(1.5)},
    )


def test_the_report_says_what_learned_from_what_and_how_well(tmp_path, report):
    write_report(tmp_path, report)

    content = json.loads((tmp_path / "report.json").read_text())
    assert content["module"] == {"name": "efficientnet_lite0_imagenet", "licence": "Apache-2.0"}
    assert content["dataset"]["licence"] == "CC-BY 2.0"
    assert content["dataset"]["num_examples"] == {"train": 100, "val": 20, "test": 60}
    assert content["evaluations"].keys() == {"val", "test"}
    assert content["evaluations"]["test"]["scores"] == report.evaluations["test"].scores
    assert content["history"] == HISTORY
    assert content["run"] == {"seconds": 1.5}


def test_the_report_lists_every_image_that_was_left_out(tmp_path, report):
    write_report(tmp_path, report)

    content = json.loads((tmp_path / "report.json").read_text())
    assert content["dataset"]["excluded"] == [
        {"path": "rose/7.jpg", "reason": "the file is truncated"}
    ]


def test_the_report_holds_the_table_of_classes_and_the_confusion_matrix(tmp_path, report):
    write_report(tmp_path, report)

    test = json.loads((tmp_path / "report.json").read_text())["evaluations"]["test"]
    assert [row["class_name"] for row in test["per_class"]] == ["class 0", "class 1", "class 2"]
    assert test["per_class"][0].keys() >= {"precision", "recall", "f1", "num_examples"}
    assert np.sum(test["confusion"]) == 60
    assert np.sum(test["confusion"], axis=1).tolist() == [
        row["num_examples"] for row in test["per_class"]
    ]


def test_a_number_that_is_not_finite_is_null_in_the_report(tmp_path, report):
    report.evaluations["val"].per_class[0]["auc"] = float("nan")

    write_report(tmp_path, report)

    text = (tmp_path / "report.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["evaluations"]["val"]["per_class"][0]["auc"] is None


def test_the_environment_names_versions_and_devices():
    facts = environment()

    assert facts.keys() >= {"hubcls", "python", "tensorflow", "keras", "numpy", "devices"}
    assert any(device.startswith("CPU: ") for device in facts["devices"])


def test_the_picture_can_be_read_as_an_image(tmp_path, report):
    write_report(tmp_path, report)

    with Image.open(tmp_path / "report.png") as picture:
        picture.load()
        assert min(picture.size) > 800


def test_the_figure_shows_losses_scores_confusion_and_classes(report):
    losses, scores, matrix, bars = report_figure(report).axes

    assert {line.get_label() for line in losses.lines} == {"train/loss", "val/loss"}
    assert {line.get_label() for line in scores.lines} == {"train/acc", "val/acc"}
    assert matrix.get_title().startswith("test: ")
    assert len(bars.patches) == 3


@pytest.mark.parametrize("phases", [(), ("val",)])
def test_a_run_without_history_or_evaluation_has_a_report_too(tmp_path, report, phases):
    bare = Report(
        module={},
        dataset=report.dataset,
        evaluations={phase: report.evaluations[phase] for phase in phases},
    )

    write_report(tmp_path, bare)

    assert (tmp_path / "report.png").stat().st_size > 0
