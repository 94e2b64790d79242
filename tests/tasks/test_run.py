import csv
import json
import math

import numpy as np
import pytest
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import hubcls
from hubcls.errors import ConfigError, TrainingError, UnknownNameError

# What its tests share is made once, by one worker.
pytestmark = pytest.mark.xdist_group("run")

STRIPES = {"strategy": hubcls.AutoFinetuneStrategy(learning_rate=3e-3), "num_epoch": 3}


def statistics(classifier):
    layer = classifier.get_layer("stem_bn")
    return [np.asarray(variable).tolist() for variable in layer.variables]


def rgb(images):
    return [np.repeat(image, 3, axis=-1) for image in images]


@pytest.fixture(scope="module")
def finished(task_in, tmp_path_factory):
    """A task whose run has ended, with its results and its first BatchNorm statistics."""
    task = task_in(tmp_path_factory.mktemp("run") / "ckpt", log_interval=2, **STRIPES)
    before = statistics(task.classifier)
    return task, task.finetune_and_eval(), before


def test_three_steps_give_a_measured_classifier(finished):
    _, results, _ = finished

    assert results["test"].scores["acc"] > 0.9
    assert results["test"].num_examples == 20


def test_a_run_leaves_everything_that_the_docs_promise(finished):
    folder = finished[0].config.folder

    names = {path.name for path in folder.iterdir()}

    assert names == {
        "best_model", "config.yaml", "history.csv", "report.json", "report.png", "state",
        "visualization",
    }  # fmt: skip
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["run"]["seed"], config["facts"]["data_seed"]) == (0, 0)
    assert config["strategy"]["name"] == "AutoFinetuneStrategy"
    assert config["facts"]["versions"]["hubcls"] == hubcls.__version__
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["step"] for row in rows] == ["0", "6", "12", "18"]
    report = json.loads((folder / "report.json").read_text())
    assert np.array(report["evaluations"]["test"]["confusion"]).sum() == 20
    assert Image.open(folder / "report.png").size[0] > 500


def test_tensorboard_gets_curves_samples_confusion_and_config(finished):
    folder = finished[0].config.folder / "visualization"

    events = EventAccumulator(str(folder)).Reload()

    scalars = set(events.Tags()["scalars"]) | set(events.Tags()["tensors"])
    for tag in ("loss", "acc", "learning_rate", "images_per_second"):
        assert f"train/{tag}" in scalars
    assert {"val/acc", "val/loss"} <= scalars
    images = set(events.Tags()["images"]) | scalars
    assert any("samples" in tag for tag in images)
    assert any("confusion_matrix" in tag for tag in images)
    assert any("config" in tag for tag in scalars)


def test_a_frozen_batch_norm_keeps_its_statistics(finished):
    task, _, before = finished

    assert statistics(task.classifier) == before


def test_predict_names_classes_in_order(finished):
    task, _, _ = finished
    test = task.ingredients.dataset.split("test")

    predictions = task.predict(rgb(test.images), top_k=3)

    right = [
        prediction.class_name == task.ingredients.problem.class_names[label]
        for prediction, label in zip(predictions, test.labels, strict=True)
    ]
    assert np.mean(right) > 0.9
    assert sum(probability for _, probability in predictions[0].top) == pytest.approx(1, abs=1e-5)


def test_predict_gives_names_alone_as_paddlehub_does(finished):
    task, _, _ = finished

    names = task.predict([np.zeros((20, 30, 3), np.uint8)], return_result=True)

    assert names[0] in task.ingredients.problem.class_names


def test_predict_takes_other_names_for_the_classes(finished):
    task = finished[0]
    image = [np.zeros((16, 16, 3), np.uint8)]

    [usual] = task.predict(image, return_result=True)
    [renamed] = task.predict(image, return_result=True, label_list=["a", "b", "c"])

    assert renamed == dict(zip(("across", "down", "diagonal"), "abc", strict=True))[usual]
    with pytest.raises(ConfigError, match="2 names for 3 classes"):
        task.predict(image, label_list=["a", "b"])


def test_a_fresh_load_and_a_shipped_model_predict_the_same(finished, tmp_path):
    task, _, _ = finished
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)

    mine = task.predict([image])[0]
    loaded = hubcls.load(task.config.folder / "best_model").predict([image])[0]
    shipped = hubcls.load(task.save_inference_model(tmp_path / "shipped")).predict([image])[0]

    for other in (loaded, shipped):
        assert other.class_name == mine.class_name
        assert other.probability == pytest.approx(mine.probability, abs=1e-6)


@pytest.fixture(scope="module")
def derailed(task_in, tmp_path_factory):
    """A task whose rate undid what the probe had found, with its results."""
    strategy = hubcls.AutoFinetuneStrategy(learning_rate=5.0)
    task = task_in(tmp_path_factory.mktemp("derailed") / "ckpt", strategy=strategy)
    return task, task.finetune_and_eval()


def test_paddlehubs_file_names_are_taken_and_said_to_have_no_effect(finished, tmp_path, caplog):
    finished[0].save_inference_model(tmp_path / "shipped", "model", "params")

    assert "model_filename and params_filename have no effect" in caplog.text
    assert hubcls.load(tmp_path / "shipped").predict([np.zeros((16, 16, 3), np.uint8)])


def test_the_best_model_on_validation_is_kept_not_the_last(derailed):
    task, results = derailed

    best, last = task.progress.best.scores, task.progress.evaluations[-1].scores
    assert best["acc"] > last["acc"]
    assert results["val"].scores["acc"] == best["acc"]
    assert results["val"].loss == pytest.approx(best["loss"], rel=1e-5)


def test_epoch_zero_is_the_probes_score(make_task):
    task = make_task(num_epoch=0)

    results = task.finetune_and_eval()

    assert [score.step for score in task.progress.evaluations] == [0]
    assert results["val"].scores["acc"] > 0.5


def test_fine_tuning_never_ends_below_its_probe(derailed):
    task, results = derailed

    assert results["val"].scores["acc"] >= task.progress.evaluations[0].scores["acc"]


def test_finetune_without_evaluation_keeps_the_last_weights(make_task, tmp_path):
    task = make_task(num_epoch=1)

    task.finetune()

    assert task.progress.evaluations == []
    assert hubcls.load(tmp_path / "ckpt").predict([np.zeros((16, 16, 3), np.uint8)])


def test_finetune_evaluates_when_asked_to_and_then_keeps_the_best(make_task, tmp_path):
    task = make_task(strategy=hubcls.AutoFinetuneStrategy(learning_rate=5.0))

    task.finetune(do_eval=True)

    last = task.progress.evaluations[-1]
    assert task.progress.best is not last
    assert task.eval("val", load_best_model=True).loss == pytest.approx(
        task.progress.best.scores["loss"], abs=1e-6
    )


def test_early_stopping_without_evaluations_is_an_error(make_task):
    with pytest.raises(ConfigError, match=r"early_stopping needs evaluations.*do_eval=True"):
        make_task(early_stopping=2).finetune()


def test_the_first_metric_decides(make_task):
    task = make_task(
        metrics_choices=["f1", "acc", "top5", "matthews", "auc", "precision", "recall"]
    )

    results = task.finetune_and_eval()

    assert next(iter(task.progress.best.scores)) == "f1"
    assert set(results["test"].scores) == {
        "f1", "acc", "top5", "matthews", "auc", "precision", "recall",
    }  # fmt: skip


def test_an_unknown_metric_names_the_nearest(backbone, dataset):
    with pytest.raises(UnknownNameError, match="accuracy"):
        hubcls.ImageClassifierTask(
            feature=backbone.output, dataset=dataset, metrics_choices=["acuracy"]
        )


def test_a_task_without_data_says_what_is_missing(backbone):
    with pytest.raises(ConfigError, match="dataset="):
        hubcls.ImageClassifierTask(feature=backbone.output)


def test_a_wrong_num_classes_is_an_error(backbone, dataset):
    with pytest.raises(ConfigError, match="num_labels"):
        hubcls.ImageClassifierTask(feature=backbone.output, dataset=dataset, num_classes=5)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_best_model(make_task, tmp_path):
    task = make_task(
        num_epoch=3,
        log_interval=1,
        strategy=hubcls.AutoFinetuneStrategy(learning_rate=1e30),
    )

    with pytest.raises(TrainingError, match="learning_rate"):
        task.finetune_and_eval()

    assert not (tmp_path / "ckpt" / "report.json").exists()
    losses = [score.scores["loss"] for score in task.progress.evaluations]
    assert losses
    assert all(map(math.isfinite, losses))
    kept = hubcls.load(tmp_path / "ckpt").predict([np.zeros((16, 16, 3), np.uint8)])
    assert math.isfinite(kept[0].probability)


def test_early_stopping_ends_after_its_patience(make_task):
    task = make_task(
        num_epoch=50, early_stopping=2, strategy=hubcls.DefaultStrategy(learning_rate=1e-9)
    )

    task.finetune_and_eval()

    assert len(task.progress.evaluations) == 3
    assert "early_stopping=2" in task.progress.stop_reason


def test_unbalanced_class_weights_are_checked_by_name(make_task):
    with pytest.raises(ConfigError, match="missing: \\['diagonal'\\]"):
        make_task(class_weights={"across": 1.0, "down": 2.0}).finetune_and_eval()


@pytest.mark.slow
def test_class_weights_change_what_is_learned(make_task, tmp_path):
    weights = {"across": 1.0, "down": 1.0, "diagonal": 100.0}

    results = make_task(
        num_epoch=3, class_weights=weights, strategy=hubcls.DefaultStrategy(learning_rate=1e-3)
    ).finetune_and_eval()

    assert results["test"].confusion[:, 2].sum() > results["test"].confusion[:, :2].sum()


def test_the_moving_average_is_what_is_evaluated_and_kept(make_task):
    strategy = hubcls.DefaultStrategy(learning_rate=0.05, optimizer_name="sgd")
    task = make_task(num_epoch=2, ema=0.99, strategy=strategy)

    task.finetune_and_eval()

    # Cropping and resizing leave one colour as it is: both ways see the same pixels.
    image = np.full((16, 16, 3), 200, np.uint8)
    average = task.predict([image], load_best_model=False)[0].probability
    raw = task.ingredients.problem.probabilities(task.classifier.predict(image[None], verbose=0))
    assert average != pytest.approx(float(raw.max()), abs=1e-4)
    optimizer = task.classifier.optimizer
    for variable, mean in zip(
        optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
    ):
        variable.assign(mean)
    expected = task.classifier.predict(image[None], verbose=0)
    probabilities = task.ingredients.problem.probabilities(expected)
    assert average == pytest.approx(float(probabilities.max()), abs=1e-6)


@pytest.mark.parametrize(("ema", "momentum"), [(None, 0.75), (0.5, 0.5)])
def test_the_default_strategy_averages_unless_the_run_says_how(make_task, ema, momentum):
    task = make_task(num_epoch=50, ema=ema, strategy=hubcls.AutoFinetuneStrategy(ema=0.75))

    assert task.classifier.optimizer.use_ema
    assert task.classifier.optimizer.ema_momentum == momentum


def test_a_state_that_a_hook_saves_while_averages_are_measured_is_the_runs_own(make_task):
    strategy = hubcls.DefaultStrategy(learning_rate=0.05, optimizer_name="sgd")
    task = make_task(num_epoch=1, ema=0.99, strategy=strategy)
    task.finetune()
    raw = task.classifier.get_weights()
    task.add_hook("eval_end_event", "save", lambda *_: task.save_checkpoint())

    task.eval("val")

    assert task.load_checkpoint()
    for restored, expected in zip(task.classifier.get_weights(), raw, strict=True):
        assert np.array_equal(restored, expected)


def test_hidden_units_train_without_a_probe(make_task, caplog):
    with caplog.at_level("INFO", logger="hubcls"):
        make_task(hidden_units=[12], num_epoch=1).finetune_and_eval()

    assert "no linear probe" in caplog.text


def test_eval_interval_counts_steps(make_task):
    task = make_task(num_epoch=2, eval_interval=5, strategy=hubcls.DefaultStrategy())

    task.finetune_and_eval()

    assert [score.step for score in task.progress.evaluations] == [5, 10, 12]


def test_log_lines_tell_step_loss_accuracy_and_speed(make_task, caplog):
    with caplog.at_level("INFO", logger="hubcls"):
        make_task(log_interval=3).finetune_and_eval()

    lines = [record.getMessage() for record in caplog.records if record.levelname == "TRAIN"]
    assert len(lines) == 2
    assert lines[0].startswith("step 3 / 6: loss=")
    assert " acc=" in lines[0]
    assert lines[0].endswith(" images/s]")


def test_hooks_run_at_every_event(make_task):
    from hubcls.training.hooks import EVENTS

    task = make_task(log_interval=2)
    seen = []
    for event, arity in EVENTS.items():
        hook = (lambda e: lambda task: seen.append(e)) if arity == 1 else (
            lambda e: lambda task, states: seen.append(e)
        )  # fmt: skip
        task.add_hook(event, "mine", hook(event))

    task.finetune_and_eval()
    task.predict([np.zeros((16, 16, 3), np.uint8)])

    assert set(seen) == set(EVENTS)
    assert seen.count("run_step_event") == 6


def test_hooks_with_two_arguments_are_told_the_run_states(make_task):
    task = make_task(log_interval=2)
    told = {}
    for event in (
        "log_interval_event",
        "eval_end_event",
        "finetune_end_event",
        "predict_end_event",
    ):
        task.add_hook(event, "mine", lambda task, states, event=event: told.update({event: states}))

    task.finetune_and_eval()
    task.predict([np.zeros((16, 16, 3), np.uint8)])

    assert told["log_interval_event"][-1].run_step == 6
    assert told["eval_end_event"][-1].run_examples == 20
    assert told["finetune_end_event"][-1].metrics["loss"] > 0
    assert told["predict_end_event"][-1].run_examples == 1


def test_a_deleted_default_hook_is_not_done(make_task, tmp_path):
    task = make_task(strategy=hubcls.DefaultStrategy())
    task.delete_hook("save_ckpt_interval_event", "default")

    task.finetune_and_eval()

    assert not (tmp_path / "ckpt" / "state").exists()


def test_a_modified_default_hook_is_done_in_the_defaults_place(make_task, tmp_path):
    task = make_task(strategy=hubcls.DefaultStrategy())
    steps = []
    task.modify_hook(
        "save_ckpt_interval_event", "default", lambda task: steps.append(task.progress.step)
    )

    task.finetune()

    assert steps[-1] == 6
    assert not (tmp_path / "ckpt" / "state").exists()


def test_hooks_info_shows_ones_own_hooks_and_the_defaults_when_asked(make_task):
    def my_own_hook(task):
        return task

    task = make_task()
    task.add_hook("finetune_start_event", "mine", my_own_hook)

    assert "my_own_hook" in task.hooks_info()
    assert "build_env_start" not in task.hooks_info()
    assert "def build_env_start" in task.hooks_info(show_default=True)


def test_the_classifier_is_compiled_without_xla(make_task):
    assert make_task().classifier.jit_compile is False


def test_use_cuda_without_a_gpu_says_so_and_goes_on(make_task, caplog):
    with caplog.at_level("INFO", logger="hubcls"):
        make_task(num_epoch=0, use_cuda=True).finetune_and_eval()

    assert "sees no GPU" in caplog.text
