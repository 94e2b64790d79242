"""hubcls train: flags become constructor calls, and the run's results are printed."""

import numpy as np
import pytest
import yaml

import hubcls
from hubcls.classification.problem import SingleLabel
from hubcls.cli import train
from hubcls.cli.configs import config_of
from hubcls.cli.main import main
from hubcls.cli.parsing import build_parser
from hubcls.evaluation.evaluating import Evaluation


def task_of(*flags, dataset="digits"):
    return config_of(
        build_parser().parse_args(["train", "--dataset", dataset, *flags])
    ).build_task()


def test_flags_reach_the_run_config(tmp_path):
    task = task_of(
        "--num-epoch", "2", "--batch-size", "7", "--seed", "5", "--label-smoothing", "0.1",
        "--checkpoint-dir", str(tmp_path), "--no-use-gpu", "--save-interval", "9",
    )  # fmt: skip

    config = task.config
    assert (config.num_epoch, config.batch_size, config.seed) == (2, 7, 5)
    assert (config.label_smoothing, config.save_ckpt_interval) == (0.1, 9)
    assert (config.folder, config.use_cuda) == (tmp_path, False)


def test_strategy_and_learning_rate_make_the_strategy():
    task = task_of("--strategy", "l2sp", "--learning-rate", "0.002")

    assert isinstance(task.config.strategy, hubcls.L2SPFinetuneStrategy)
    assert task.config.strategy.learning_rate == 0.002


def test_without_a_strategy_the_default_one_is_used():
    assert isinstance(task_of().config.strategy, hubcls.AutoFinetuneStrategy)


def test_train_examples_cuts_the_training_split_alone():
    dataset = task_of("--train-examples", "50").ingredients.dataset

    assert len(dataset.split("train")) == 50
    assert len(dataset.split("test")) == 270


def test_input_size_reaches_the_module():
    assert task_of("--input-size", "64").ingredients.preprocessing.height == 64


def test_weights_none_builds_the_bare_network():
    assert not task_of("--weights", "none", "--input-size", "64").ingredients.is_pretrained


def test_no_augmentation_turns_it_off(photos):
    assert task_of("--no-augmentation", dataset=str(photos)).ingredients.augmentation is None
    assert task_of(dataset=str(photos)).ingredients.augmentation is not None


def test_an_unknown_module_ends_with_2_and_the_nearest_names(capsys):
    code = main(["train", "--dataset", "digits", "--module", "efficientnet_light0_imagenet"])

    assert code == 2
    assert "efficientnet_lite0_imagenet" in capsys.readouterr().err


def test_unreadable_images_cannot_be_left_out_where_there_are_no_files(capsys):
    code = main(["train", "--dataset", "digits", "--on-error", "exclude"])

    assert code == 2
    assert "--on-error: dataset (Digits) has no key 'on_error'" in capsys.readouterr().err


def test_wrong_settings_are_all_named_at_once(capsys):
    code = main(["train", "--dataset", "digits", "--batch-size", "0", "--label-smoothing", "2"])

    message = capsys.readouterr().err
    assert code == 2
    assert "batch_size" in message
    assert "label_smoothing" in message


def test_without_a_data_set_train_ends_with_2_and_says_how_to_name_one(capsys):
    assert main(["train"]) == 2
    assert "add --dataset" in capsys.readouterr().err


def test_flags_win_over_overrides_and_these_over_the_file(tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text("dataset: digits\nrun: {batch_size: 8, seed: 1, num_epoch: 2}\n")

    main(["train", "-c", str(path), "-o", "run.seed=5", "-o", "run.batch_size=6",
          "--batch-size", "4", "--print-config"])  # fmt: skip

    run = yaml.safe_load(capsys.readouterr().out)["run"]
    assert (run["batch_size"], run["seed"], run["num_epoch"]) == (4, 5, 2)


def test_the_printed_config_is_one_that_train_takes(tmp_path, capsys):
    path = tmp_path / "printed.yaml"
    main(["train", "--dataset", "digits", "--strategy", "ulmfit", "--print-config"])
    printed = capsys.readouterr().out
    path.write_text(printed)

    code = main(["train", "-c", str(path), "--print-config"])

    assert code == 0
    assert yaml.safe_load(capsys.readouterr().out) == yaml.safe_load(printed)


def test_errors_of_file_override_and_flags_come_in_one_message(tmp_path, capsys):
    path = tmp_path / "x.yaml"
    path.write_text("dataset: digits\nrun:\n  batchsize: 8\n")

    code = main(["train", "-c", str(path), "-o", "run.sed=5", "--on-error", "raise"])

    message = capsys.readouterr().err
    assert code == 2
    assert f"{path}:3: run has no key 'batchsize'; did you mean: batch_size" in message
    assert "-o run.sed=5: run has no key 'sed'; did you mean: seed" in message
    assert "--on-error: dataset (Digits) has no key 'on_error'" in message
    assert "Traceback" not in message


def test_the_summary_has_scores_and_places(tmp_path):
    evaluation = Evaluation(
        phase="val",
        num_examples=300,
        loss=0.25,
        scores={"accuracy": 0.9833},
        per_class=[],
        confusion=np.zeros((2, 2), np.int64),
        seconds=1.0,
        images_per_second=300.0,
        fitted=SingleLabel(("dark", "light")),
    )

    text = train.summary({"val": evaluation}, tmp_path)

    assert text.splitlines()[0].split() == ["split", "images", "loss", "accuracy"]
    assert text.splitlines()[1].split() == ["val", "300", "0.2500", "0.9833"]
    assert f"tensorboard --logdir {tmp_path}/visualization" in text


@pytest.mark.slow
def test_train_then_eval_then_predict(photos, tmp_path, capsys):
    run = tmp_path / "run"
    small = ["--input-size", "64", "--num-epoch", "1", "--batch-size", "4"]

    trained = main(["train", "--dataset", str(photos), "--checkpoint-dir", str(run), *small])
    evaluated = main(["eval", "--dataset", str(photos), "--checkpoint", str(run)])
    predicted = main(["predict", str(photos / "dark"), "--checkpoint", str(run)])

    assert (trained, evaluated, predicted) == (0, 0, 0)
    assert "hubcls predict IMAGE_OR_FOLDER" in capsys.readouterr().out
