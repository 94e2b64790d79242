"""Softmax, and class names in the right order."""

import numpy as np
import pytest

from hubcls.classification import Prediction, decode, log_softmax, softmax
from hubcls.errors import ConfigError

NAMES = ("cat", "dog", "fox")


def told(logits, names=NAMES, **options):
    logits = np.asarray(logits)
    return decode(softmax(logits), logits.argmax(axis=1), names, **options)


def test_softmax_of_known_logits():
    probabilities = softmax(np.log([[1.0, 2.0, 5.0]]))

    np.testing.assert_allclose(probabilities, [[0.125, 0.25, 0.625]], rtol=1e-6)
    assert probabilities.dtype == np.float32


def test_softmax_of_huge_logits_does_not_overflow():
    np.testing.assert_array_equal(softmax([[1e4, -1e4, 0.0]]), [[1.0, 0.0, 0.0]])


def test_log_softmax_is_the_logarithm_of_softmax_where_that_underflows():
    np.testing.assert_allclose(log_softmax([[0.0, -2000.0]]), [[0.0, -2000.0]])


def test_decode_lists_the_best_classes_first():
    prediction = told(np.log([[1.0, 5.0, 2.0]]), NAMES, top_k=2, sources=["rex.jpg"])[0]

    assert prediction.class_name == "dog"
    assert prediction.source == "rex.jpg"
    assert [name for name, _ in prediction.top] == ["dog", "fox"]
    assert prediction.probability == pytest.approx(0.625)
    assert prediction.top[1][1] == pytest.approx(0.25)


def test_decode_keeps_the_order_of_the_rows():
    logits = np.eye(3)[[2, 0, 1, 1]]

    predictions = told(logits, NAMES)

    assert [prediction.class_name for prediction in predictions] == ["fox", "cat", "dog", "dog"]
    assert [prediction.source for prediction in predictions] == ["0", "1", "2", "3"]


def test_decode_gives_all_classes_when_asked_for_more():
    assert len(told(np.zeros((1, 3)), NAMES, top_k=5)[0].top) == 3


def test_among_equal_logits_the_first_class_wins():
    assert told(np.zeros((1, 3)), NAMES)[0].class_name == "cat"


def test_decode_of_no_rows_is_empty():
    assert told(np.zeros((0, 3)), NAMES) == []


def test_decode_reports_everything_that_does_not_fit():
    with pytest.raises(ConfigError) as error:
        told(np.zeros((2, 4)), NAMES, top_k=0, sources=["a"])

    for part in ("[N, 3], not [2, 4]", "as many sources, not 1", "top_k must be at least 1"):
        assert part in str(error.value)


def test_a_prediction_as_plain_types():
    prediction = Prediction("cat", 0.5, (("cat", 0.5), ("dog", 0.25)), "a.jpg", (("cat", 0.5),))

    assert prediction.as_dict() == {
        "source": "a.jpg",
        "class_name": "cat",
        "probability": 0.5,
        "top": [["cat", 0.5], ["dog", 0.25]],
        "labels": [["cat", 0.5]],
    }


def test_the_most_probable_class_is_the_label_of_a_row_with_one():
    assert told(np.log([[1.0, 5.0, 2.0]]), top_k=3)[0].labels == (("dog", pytest.approx(0.625)),)


def test_several_labels_come_best_first_and_may_be_none():
    probabilities = [[0.6, 0.9, 0.1], [0.2, 0.1, 0.3]]
    is_shown = [[True, True, False], [False, False, False]]

    both, none = decode(probabilities, is_shown, NAMES)

    assert both.labels == (("dog", 0.9), ("cat", 0.6))
    assert (none.class_name, none.labels) == ("fox", ())
