"""Every figure of merit against values worked out by hand."""

import logging
import math

import numpy as np
import pytest

from hubcls.classification import SingleLabel, compute, confusion, is_better, metrics, per_class
from hubcls.errors import ConfigError, TrainingError, UnknownNameError

PROBLEM = SingleLabel(("cat", "dog", "fox"))
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 2])
# Taken by hand: cat has 2 right of 3 predicted and of 3 true; dog 1 of 2 and of 2; fox all.
PRECISION = {"cat": 2 / 3, "dog": 1 / 2, "fox": 1.0}
RECALL = {"cat": 2 / 3, "dog": 1 / 2, "fox": 1.0}


def logits_for(predicted, num_classes=3):
    return 2.0 * np.eye(num_classes)[predicted]


def value(name, labels=LABELS, logits=None, problem=PROBLEM):
    logits = logits_for(PREDICTED) if logits is None else logits
    return compute([name], logits, labels, problem)[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 4 / 6),
        ("acc", 4 / 6),
        ("precision", (2 / 3 + 1 / 2 + 1) / 3),
        ("recall", (2 / 3 + 1 / 2 + 1) / 3),
        ("f1", (2 / 3 + 1 / 2 + 1) / 3),
        ("weighted_f1", (3 * 2 / 3 + 2 * 1 / 2 + 1 * 1) / 6),
        # Gorodkin 2004: (4·6 − (3·3 + 2·2 + 1·1)) / (6·6 − (3·3 + 2·2 + 1·1))
        ("matthews", 10 / 22),
        ("log_loss", math.log(math.e**2 + 2) - 2 * 4 / 6),
        ("top5", 1.0),
    ],
)
def test_metric_of_six_answers(name, expected):
    assert value(name) == pytest.approx(expected)


def test_metrics_come_in_the_order_and_under_the_names_asked_for():
    scores = compute(["recall", "acc"], logits_for(PREDICTED), LABELS, PROBLEM)

    assert list(scores) == ["recall", "acc"]


def test_every_metric_is_perfect_on_right_answers():
    scores = compute(metrics.names(), 50 * np.eye(3)[LABELS], LABELS, PROBLEM)

    assert scores.pop("log_loss") == pytest.approx(0)
    assert set(scores.values()) == {1.0}


def test_auc_counts_pairs_in_the_right_order():
    problem = SingleLabel(("no", "yes"))
    # Scores of "yes" among members .9 .4, among others .5 .1 .4: of 6 pairs 4 are right, 1 tied.
    chances = np.array([0.9, 0.4, 0.5, 0.1, 0.4])
    logits = np.log(np.stack([1 - chances, chances], axis=1))

    area = value("auc", labels=np.array([1, 1, 0, 0, 0]), logits=logits, problem=problem)

    assert area == pytest.approx(4.5 / 6)


def test_auc_averages_each_class_against_the_rest():
    logits = np.log([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3], [0.4, 0.5, 0.1], [0.1, 0.2, 0.7]])
    # cat: .6 .3 against .4 .1 → 3 of 4; dog: .5 against .3 .4 .2 → 3 of 3; fox: 3 of 3.
    area = value("auc", labels=np.array([0, 0, 1, 2]), logits=logits)

    assert area == pytest.approx((3 / 4 + 1 + 1) / 3)


def test_auc_without_examples_of_a_class_is_nan_and_the_log_says_which(caplog):
    with caplog.at_level(logging.WARNING, logger="hubcls"):
        area = value("auc", labels=np.array([0, 0, 0, 1, 1, 1]))

    assert math.isnan(area)
    assert "fox" in caplog.text
    assert "cat" not in caplog.text


def test_top5_looks_at_the_five_greatest_logits():
    problem = SingleLabel(tuple("abcdefgh"))
    logits = np.tile(np.arange(8.0), (2, 1))

    assert value("top5", labels=np.array([3, 2]), logits=logits, problem=problem) == 0.5


def test_top5_among_equal_logits_prefers_lower_ids():
    problem = SingleLabel(tuple("abcdefgh"))

    score = value("top5", labels=np.array([4, 5]), logits=np.zeros((2, 8)), problem=problem)

    assert score == 0.5


def test_macro_f1_leaves_out_classes_that_occur_nowhere():
    labels = np.array([0, 0, 1, 1])

    assert value("f1", labels=labels, logits=logits_for(labels)) == 1.0


def test_f1_and_precision_of_a_class_never_predicted_are_zero():
    labels, predicted = np.array([0, 1]), np.array([0, 0])
    problem = SingleLabel(("no", "yes"))

    scores = compute(["precision", "f1"], logits_for(predicted, 2), labels, problem)

    assert scores["precision"] == pytest.approx((1 / 2 + 0) / 2)
    assert scores["f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_matthews_of_a_constant_answer_is_zero():
    assert value("matthews", logits=np.zeros((6, 3))) == 0.0


def test_per_class_table():
    table = per_class(logits_for(PREDICTED), LABELS, PROBLEM)

    assert [row["class_name"] for row in table] == ["cat", "dog", "fox"]
    assert [row["num_examples"] for row in table] == [3, 2, 1]
    for row in table:
        assert row["precision"] == pytest.approx(PRECISION[row["class_name"]])
        assert row["recall"] == pytest.approx(RECALL[row["class_name"]])
        assert row["f1"] == pytest.approx(RECALL[row["class_name"]])
    assert table[2]["auc"] == 1.0


def test_per_class_table_has_a_row_for_a_class_without_examples():
    row = per_class(logits_for([0, 1]), [0, 1], PROBLEM)[2]

    assert (row["recall"], row["num_examples"]) == (0.0, 0)
    assert math.isnan(row["auc"])


def test_confusion_has_true_classes_in_rows():
    matrix = confusion(logits_for([1, 1, 0]), [0, 1, 2], PROBLEM)

    np.testing.assert_array_equal(matrix, [[0, 1, 0], [0, 1, 0], [1, 0, 0]])


def test_an_unknown_metric_lists_the_nearest():
    with pytest.raises(UnknownNameError, match="accuracy"):
        value("acuracy")


def test_no_example_is_an_error():
    with pytest.raises(ConfigError, match="at least one example"):
        compute(["acc"], np.zeros((0, 3)), [], PROBLEM)


def test_logits_of_another_shape_are_an_error():
    with pytest.raises(ConfigError, match=r"\[6, 3\], not \[6, 2\]"):
        value("acc", logits=np.zeros((6, 2)))


def test_logits_that_are_not_finite_are_an_error():
    logits = logits_for(PREDICTED)
    logits[0, 0], logits[3, 1] = np.nan, np.inf

    with pytest.raises(TrainingError, match="2 of 6 examples"):
        value("acc", logits=logits)


@pytest.mark.parametrize(
    ("name", "score", "best", "expected"),
    [
        ("acc", 0.9, 0.8, True),
        ("acc", 0.8, 0.8, False),
        ("log_loss", 0.3, 0.4, True),
        ("log_loss", 0.5, 0.4, False),
        ("acc", 0.0, None, True),
        ("auc", float("nan"), 0.5, False),
        ("auc", 0.5, float("nan"), True),
    ],
)
def test_which_score_is_better(name, score, best, expected):
    assert is_better(name, score, best) is expected
