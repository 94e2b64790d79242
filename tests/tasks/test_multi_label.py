"""A run on images that show several classes, from the split to `labels` of a prediction."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits

import hubcls
from hubcls.datasets.base import Dataset, DatasetInfo, LabelKeeping, Split
from hubcls.errors import ConfigError

# What its tests share is made once, by one worker.
pytestmark = pytest.mark.xdist_group("multi_label")

FEW = (0, 1, 4, 7)


@pytest.fixture(scope="module")
def pairs():
    """Two handwritten digits side by side, of four kinds, with both labels."""
    images, digits = load_digits(return_X_y=True)
    images, digits = images[np.isin(digits, FEW)], digits[np.isin(digits, FEW)]
    images = np.clip(images.reshape(-1, 8, 8) * 16, 0, 255).astype(np.uint8)
    random = np.random.default_rng(0)
    left, right = random.integers(0, len(images), (2, 500))
    both = np.concatenate([images[left], images[right]], axis=2)
    # Square, as the networks want them.
    square = np.zeros((500, 16, 16, 1), np.uint8)
    square[:, 4:12, :, 0] = both
    labels = np.stack(
        [(digits[left] == digit) | (digits[right] == digit) for digit in FEW], axis=1
    ).astype(np.int64)
    parts = {"train": slice(0, 300), "val": slice(300, 400), "test": slice(400, 500)}
    return Dataset(
        DatasetInfo(
            "pairs",
            tuple(map(str, FEW)),
            is_multi_label=True,
            keeps_label=LabelKeeping(horizontal_flip=False, random_crop=False),
        ),
        {phase: Split(square[part], labels[part]) for phase, part in parts.items()},
    )


@pytest.fixture(scope="module")
def task(pairs, tmp_path_factory):
    task = hubcls.MultiLabelClassifierTask(
        module=hubcls.Module(name="efficientnet_lite0_imagenet", input_size=64),
        dataset=pairs,
        config=hubcls.RunConfig(
            num_epoch=1, checkpoint_dir=tmp_path_factory.mktemp("run") / "ckpt"
        ),
    )
    task.results = task.finetune_and_eval()
    return task


def test_a_run_learns_every_class_of_its_images(task):
    assert list(task.results["test"].scores) == ["map"]
    assert task.results["test"].scores["map"] > 0.7


def test_thresholds_are_chosen_on_validation_and_stay_with_the_best_model(task):
    facts = json.loads((task.config.folder / "best_model" / "bundle.json").read_text())

    assert facts["problem"]["kind"] == "multi_label"
    assert len(facts["problem"]["thresholds"]) == len(FEW)
    again = task.eval("val", load_best_model=True)
    assert again.fitted.thresholds == pytest.approx(facts["problem"]["thresholds"], abs=1e-5)


def test_predictions_hold_every_class_above_its_threshold(task, pairs):
    images = np.repeat(pairs.split("test").images[:20], 3, axis=3)
    predictor = hubcls.load(task.config.folder)

    predictions = predictor.predict(images, top_k=2)

    thresholds = dict(zip(map(str, FEW), predictor.bundle.problem.thresholds, strict=True))
    for one in predictions:
        assert all(share >= thresholds[name] for name, share in one.labels)
        assert len(one.top) == 2
    assert {len(one.labels) for one in predictions} >= {1, 2}
    told = [[str(digit) in dict(one.labels) for digit in FEW] for one in predictions]
    assert (np.array(told) == pairs.split("test").labels[:20]).mean() > 0.7


def test_reports_are_written_without_a_confusion_matrix_of_pairs(task):
    report = json.loads((task.config.folder / "report.json").read_text())

    assert np.shape(report["evaluations"]["test"]["confusion"]) == (len(FEW), 2, 2)
    assert len(report["evaluations"]["test"]["thresholds"]) == len(FEW)
    assert (task.config.folder / "report.png").stat().st_size > 10_000


def test_the_other_task_says_which_one_is_right(pairs):
    module = hubcls.Module(name="efficientnet_lite0_imagenet", weights=None, input_size=32)

    with pytest.raises(ConfigError, match=r"use hubcls\.MultiLabelClassifierTask"):
        hubcls.ImageClassifierTask(module=module, dataset=pairs)
    with pytest.raises(ConfigError, match=r"use hubcls\.ImageClassifierTask"):
        hubcls.MultiLabelClassifierTask(module=module, dataset=hubcls.datasets.Digits())


def test_class_weights_are_refused_where_images_show_several(pairs, tmp_path):
    task = hubcls.MultiLabelClassifierTask(
        module=hubcls.Module(name="efficientnet_lite0_imagenet", weights=None, input_size=32),
        dataset=pairs,
        config=hubcls.RunConfig(class_weights="balanced", checkpoint_dir=tmp_path),
    )

    with pytest.raises(ConfigError, match="asymmetric"):
        task.finetune()
