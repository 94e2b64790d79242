"""Targets and losses of single-label classification."""

import math

import numpy as np
import pytest

from hubcls.classification import SingleLabel, problem_from_dict
from hubcls.errors import ConfigError

PROBLEM = SingleLabel(("cat", "dog", "fox"))
LOGITS = np.log([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])


def test_targets_are_one_hot_float32():
    targets = PROBLEM.targets([2, 0])

    np.testing.assert_array_equal(targets, [[0, 0, 1], [1, 0, 0]])
    assert targets.dtype == np.float32


@pytest.mark.parametrize("labels", [[3], [-1], [0.5], [[0]]])
def test_labels_that_are_no_class_are_refused(labels):
    with pytest.raises(ConfigError, match="labels must"):
        PROBLEM.targets(labels)


def test_cross_entropy_is_the_mean_negative_log_probability():
    expected = -(math.log(0.7) + math.log(0.3)) / 2

    assert PROBLEM.cross_entropy(LOGITS, [0, 1]) == pytest.approx(expected)


def test_the_keras_loss_takes_logits():
    loss = PROBLEM.loss()(PROBLEM.targets([0, 1]), LOGITS.astype("float32"))

    assert float(loss) == pytest.approx(PROBLEM.cross_entropy(LOGITS, [0, 1]), rel=1e-6)


def test_label_smoothing_spreads_its_share_over_all_classes():
    smooth = np.array([0.7 + 0.1, 0.1, 0.1])
    expected = -(smooth * np.log([0.7, 0.2, 0.1])).sum()

    loss = PROBLEM.loss(label_smoothing=0.3)(PROBLEM.targets([0]), LOGITS[:1].astype("float32"))

    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_the_training_metric_is_the_share_of_right_answers():
    (metric,) = PROBLEM.train_metrics()

    metric.update_state(PROBLEM.targets([0, 1]), LOGITS)

    assert metric.name == "acc"
    assert float(metric.result()) == 0.5


def test_training_metrics_are_new_each_time():
    assert PROBLEM.train_metrics()[0] is not PROBLEM.train_metrics()[0]


def test_a_problem_survives_json():
    assert problem_from_dict(PROBLEM.as_dict()) == PROBLEM


def test_an_unknown_kind_of_problem_is_refused():
    with pytest.raises(ConfigError, match="single_label"):
        problem_from_dict({"kind": "regression", "class_names": ["a", "b"]})


@pytest.mark.parametrize(
    ("names", "message"), [(("cat",), "2 or more classes"), (("cat", "dog", "cat"), r"\['cat'\]")]
)
def test_class_names_that_cannot_be_told_apart_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        SingleLabel(names)
