import numpy as np
import pytest

from hubcls.classification.problem import SingleLabel
from hubcls.classification.rebuilding import as_float32
from hubcls.errors import ConfigError, TrainingError, UnknownNameError
from hubcls.evaluation.evaluating import evaluate

CLASSES = SingleLabel(("across", "down", "diagonal"))


@pytest.fixture
def run(classifier, dataset, preprocessing):
    """A function that evaluates the test split of 20 stripes; arguments replace its own."""

    def run_with(model=classifier, split=None, **changes):
        arguments = {"problem": CLASSES, "preprocessing": preprocessing, "batch_size": 8}
        arguments["metrics"] = ("accuracy",)
        chosen = dataset.split("test") if split is None else split
        return evaluate(model, chosen, **{**arguments, **changes})

    return run_with


def direct_logits(classifier, split):
    return np.asarray(classifier(np.repeat(split.images, 3, axis=3).astype(np.float32)))


def test_the_last_partial_batch_counts(run, classifier, dataset):
    split = dataset.split("test")
    logits = direct_logits(classifier, split)

    evaluation = run(batch_size=8, phase="test")

    assert len(split) % 8 != 0
    assert evaluation.num_examples == evaluation.confusion.sum() == len(split)
    assert evaluation.scores["accuracy"] == (logits.argmax(axis=1) == split.labels).mean()
    assert evaluation.loss == pytest.approx(CLASSES.cross_entropy(logits, split.labels), abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_batch_size_does_not_change_the_result(run, batch_size):
    evaluation = run(batch_size=batch_size)

    assert evaluation.loss == pytest.approx(run(batch_size=8).loss, abs=1e-5)
    np.testing.assert_array_equal(evaluation.confusion, run(batch_size=8).confusion)


def test_scores_stand_in_the_order_asked_for(run):
    evaluation = run(metrics=("f1", "accuracy"))

    assert list(evaluation.scores) == ["f1", "accuracy"]


def test_the_table_names_every_class_with_its_support(run, dataset):
    table = run().per_class

    supports = np.bincount(dataset.split("test").labels).tolist()
    assert [row["class_name"] for row in table] == list(CLASSES.class_names)
    assert [row["num_examples"] for row in table] == supports


def test_speed_is_examples_over_seconds(run):
    evaluation = run()

    assert evaluation.seconds > 0
    assert evaluation.images_per_second == evaluation.num_examples / evaluation.seconds


def test_an_evaluation_is_made_of_plain_json_types(run):
    values = run(phase="test").as_dict()

    assert values["phase"] == "test"
    assert isinstance(values["confusion"][0][0], int)


def test_another_number_of_classes_is_an_error(run):
    with pytest.raises(ConfigError, match="tells 3 classes apart, but the problem has 2"):
        run(problem=SingleLabel(("across", "down")))


def test_an_unknown_metric_is_an_error_before_anything_is_computed(run):
    with pytest.raises(UnknownNameError, match="acuracy"):
        run(metrics=["acuracy"], model=None)


def test_logits_that_are_not_finite_are_an_error(run, classifier):
    diverged = as_float32(classifier)
    diverged.get_layer("logits").bias.assign([np.nan, 0, 0])

    with pytest.raises(TrainingError, match="NaN or infinite"):
        run(diverged)


def test_a_split_without_images_is_an_error(run, dataset):
    with pytest.raises(ConfigError, match="has no examples"):
        run(split=dataset.split("test").subset([]))
