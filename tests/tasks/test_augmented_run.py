"""Runs with operations on whole batches, from images to a saved classifier."""

import csv
import json

import numpy as np
import pytest
import yaml

import hubcls
from hubcls.errors import CheckpointError, ConfigError
from hubcls.images.operations import CutMix, Mixup, RandAugment
from hubcls.pipeline.reader import ImageClassificationReader


@pytest.fixture
def augmented_task(tmp_path, dataset, backbone):
    """A task whose training images go through these operations; more goes to RunConfig."""

    def build(*operations, folder="ckpt", **config):
        augmentation = hubcls.Augmentation(
            horizontal_flip=False, min_area=1.0, operations=operations
        )
        settings = {"batch_size": 8, "num_epoch": 2, "log_interval": 2, **config}
        return hubcls.ImageClassifierTask(
            feature=backbone.output,
            data_reader=ImageClassificationReader(16, 16, dataset, augmentation=augmentation),
            config=hubcls.RunConfig(checkpoint_dir=tmp_path / folder, **settings),
        )

    return build


def test_a_run_with_mixed_targets_trains_and_shows_no_training_accuracy(
    augmented_task, tmp_path, caplog
):
    task = augmented_task(Mixup(), CutMix(probability=0.5))

    with caplog.at_level("INFO", logger="hubcls"):
        results = task.finetune_and_eval()

    assert results["test"].scores["acc"] > 0.7
    training = [line for line in caplog.messages if line.startswith("step ")]
    rows = list(csv.DictReader((tmp_path / "ckpt" / "history.csv").open()))
    assert training
    assert not any("acc=" in line for line in training)
    assert not any(row.get("train/acc") for row in rows)
    assert any(row["val/acc"] for row in rows)


def test_without_mixing_training_accuracy_is_shown(augmented_task, caplog):
    with caplog.at_level("INFO", logger="hubcls"):
        augmented_task(RandAugment(), num_epoch=1).finetune_and_eval()

    training = [line for line in caplog.messages if line.startswith("step ")]
    assert training
    assert all("acc=" in line for line in training)


def test_the_config_says_what_was_done_to_the_images(augmented_task, tmp_path):
    augmented_task(RandAugment(magnitude=5), Mixup(), num_epoch=1).finetune_and_eval()

    config = yaml.safe_load((tmp_path / "ckpt" / "config.yaml").read_text())

    found = hubcls.Augmentation(**config["pipeline"]["augmentation"])
    assert found.operations == (RandAugment(magnitude=5), Mixup())
    report = json.loads((tmp_path / "ckpt" / "report.json").read_text())
    assert report["evaluations"]["test"]["num_examples"] == 20


def test_a_run_with_other_operations_is_another_run(augmented_task):
    augmented_task(Mixup(), num_epoch=1).finetune_and_eval()

    with pytest.raises(CheckpointError, match="augmentation"):
        augmented_task(Mixup(alpha=1.0), num_epoch=1).finetune_and_eval()


@pytest.mark.slow
def test_a_run_resumed_in_the_middle_ends_with_the_same_weights(augmented_task):
    operations = (RandAugment(), Mixup())
    straight = augmented_task(*operations, folder="straight", save_ckpt_interval=3)
    straight.finetune_and_eval()
    cut = augmented_task(*operations, folder="cut", save_ckpt_interval=3)
    interrupt(cut, step=7)
    with pytest.raises(KeyboardInterrupt):
        cut.finetune_and_eval()

    resumed = augmented_task(*operations, folder="cut", save_ckpt_interval=3)
    resumed.finetune_and_eval()

    pairs = zip(straight.classifier.get_weights(), resumed.classifier.get_weights(), strict=True)
    assert all(np.array_equal(wanted, found) for wanted, found in pairs)


def test_class_weights_and_mixed_targets_are_refused_together(augmented_task):
    with pytest.raises(ConfigError, match="class_weights"):
        augmented_task(CutMix(), class_weights="balanced").finetune_and_eval()


def interrupt(task, *, step):
    def stop(task, state):
        if state.step == step:
            raise KeyboardInterrupt

    task.add_hook("run_step_event", "stop", stop)
