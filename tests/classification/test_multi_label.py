"""Several classes an image: losses, metrics and thresholds."""

import keras
import numpy as np
import pytest
import sklearn.metrics
import tensorflow as tf

from hubcls.classification import (
    MultiLabel,
    SingleLabel,
    compute,
    confusion,
    per_class,
    problem_from_dict,
)
from hubcls.classification.metrics import names
from hubcls.errors import ConfigError, UnknownNameError

PROBLEM = MultiLabel(("sky", "sea", "sand"))
LABELS = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
LOGITS = np.array([[2.0, 1.0, -1.0], [0.5, 0.2, -3.0], [-1.0, -2.0, 0.1], [-0.2, -1.0, -4.0]])


def test_targets_are_one_for_every_class_that_an_image_shows():
    np.testing.assert_array_equal(PROBLEM.targets(LABELS), LABELS.astype(np.float32))


@pytest.mark.parametrize(("labels", "reason"), [([0, 1], r"\[N, 3\]"), ([[0, 1, 2]], "0 or 1")])
def test_labels_of_another_form_are_refused(labels, reason):
    with pytest.raises(ConfigError, match=reason):
        PROBLEM.targets(labels)


def test_probabilities_are_sigmoids_that_do_not_overflow():
    found = PROBLEM.probabilities([[0.0, 1e4, -1e4], [1.0, -1.0, 2.0]])

    np.testing.assert_allclose(found[0], [0.5, 1.0, 0.0])
    np.testing.assert_allclose(found[1], 1 / (1 + np.exp([-1.0, 1.0, -2.0])), rtol=1e-6)


def test_the_cross_entropy_is_that_of_keras():
    keras_loss = PROBLEM.loss()(LABELS.astype(np.float32), LOGITS.astype(np.float32))

    assert PROBLEM.cross_entropy(LOGITS, LABELS) == pytest.approx(float(keras_loss), rel=1e-5)


def test_the_asymmetric_loss_is_the_papers():
    p = 1 / (1 + np.exp(-LOGITS))
    lowered = np.maximum(p - 0.05, 0)
    wanted = -(LABELS * np.log(p) + (1 - LABELS) * lowered**4 * np.log(1 - lowered)).mean()

    loss = PROBLEM.loss("asymmetric")(LABELS.astype(np.float32), LOGITS.astype(np.float32))

    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_the_asymmetric_loss_without_its_parts_is_cross_entropy():
    targets, logits = LABELS.astype(np.float32), LOGITS.astype(np.float32)
    loss = type(PROBLEM.loss("asymmetric"))(gamma_absent=0.0, gamma_present=0.0, margin=0.0)

    assert float(loss(targets, logits)) == pytest.approx(
        PROBLEM.cross_entropy(LOGITS, LABELS), rel=1e-5
    )


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (PROBLEM, "asymmetric"),
        (PROBLEM, "cross_entropy"),
        (PROBLEM, "focal"),
        (SingleLabel(PROBLEM.class_names), "cross_entropy"),
        (SingleLabel(PROBLEM.class_names), "focal"),
    ],
)
def test_losses_and_their_gradients_are_finite_however_sure_a_network_is(problem, name):
    logits = tf.constant([[90.0, -90.0, 0.0], [-90.0, 90.0, 90.0]])
    targets = tf.constant([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])

    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = problem.loss(name)(targets, logits)

    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_the_focal_loss_is_the_papers():
    p = 1 / (1 + np.exp(-LOGITS))
    of_truth = np.where(LABELS, p, 1 - p)
    wanted = -((1 - of_truth) ** 2 * np.log(of_truth)).mean()

    loss = PROBLEM.loss("focal")(LABELS.astype(np.float32), LOGITS.astype(np.float32))

    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_the_focal_loss_of_one_class_is_the_papers():
    problem, ids = SingleLabel(PROBLEM.class_names), np.array([0, 0, 2, 1])
    p = problem.probabilities(LOGITS)[np.arange(4), ids].astype(np.float64)

    loss = problem.loss("focal")(problem.targets(ids), LOGITS.astype(np.float32))

    assert float(loss) == pytest.approx(-((1 - p) ** 2 * np.log(p)).mean(), rel=1e-4)


@pytest.mark.parametrize(
    ("problem", "name", "smoothing"),
    [
        (PROBLEM, "hinge", 0.0),
        (PROBLEM, "asymmetric", 0.1),
        (SingleLabel(("a", "b")), "asymmetric", 0),
    ],
)
def test_a_loss_that_does_not_fit_is_refused(problem, name, smoothing):
    with pytest.raises(ConfigError, match=f"'{name}'.*cross_entropy"):
        problem.loss(name, smoothing)


def test_metrics_are_those_of_scikit_learn():
    shown = LOGITS >= 0
    found = compute(names(is_multi_label=True), LOGITS, LABELS, PROBLEM)

    assert found == pytest.approx(
        {
            "map": sklearn.metrics.average_precision_score(LABELS, LOGITS, average="macro"),
            "auc": sklearn.metrics.roc_auc_score(LABELS, LOGITS, average="macro"),
            "f1": sklearn.metrics.f1_score(LABELS, shown, average="macro"),
            "micro_f1": sklearn.metrics.f1_score(LABELS, shown, average="micro"),
            "weighted_f1": sklearn.metrics.f1_score(LABELS, shown, average="weighted"),
            "precision": sklearn.metrics.precision_score(LABELS, shown, average="macro"),
            "recall": sklearn.metrics.recall_score(LABELS, shown, average="macro"),
            "exact_match": sklearn.metrics.accuracy_score(LABELS, shown),
            "hamming_loss": sklearn.metrics.hamming_loss(LABELS, shown),
            "log_loss": PROBLEM.cross_entropy(LOGITS, LABELS),
        }
    )


def test_metrics_of_one_class_are_unknown_here():
    with pytest.raises(UnknownNameError, match="top5"):
        compute(["top5"], LOGITS, LABELS, PROBLEM)


def test_each_class_has_a_row_and_a_table():
    sea = per_class(LOGITS, LABELS, PROBLEM)[1]

    assert (sea["class_name"], sea["num_examples"]) == ("sea", 1)
    assert (sea["precision"], sea["recall"], sea["ap"]) == (0.5, 1.0, 1.0)
    np.testing.assert_array_equal(confusion(LOGITS, LABELS, PROBLEM)[1], [[2, 1], [0, 1]])


def test_thresholds_give_each_class_its_best_f1():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, (200, 3))
    logits = random.normal(size=(200, 3)) + labels - [3.0, 0.0, -2.0]

    fitted = PROBLEM.fitted(logits, labels)

    probabilities = PROBLEM.probabilities(logits)
    for place, threshold in enumerate(fitted.thresholds):
        f1 = [
            sklearn.metrics.f1_score(labels[:, place], probabilities[:, place] >= cut)
            for cut in np.unique(probabilities[:, place])
        ]
        own = sklearn.metrics.f1_score(labels[:, place], probabilities[:, place] >= threshold)
        assert own == pytest.approx(max(f1))
    assert fitted.thresholds[0] < 0.5 < fitted.thresholds[2]


def test_a_class_that_no_image_shows_keeps_one_half():
    assert PROBLEM.fitted(LOGITS, LABELS * [1, 0, 1]).thresholds[1] == 0.5


def test_thresholds_decide_and_survive_json():
    problem = MultiLabel(PROBLEM.class_names, (0.9, 0.1, 0.5))

    assert problem.predicted([[1.0, -1.0, 0.5]]).tolist() == [[False, True, True]]
    assert problem_from_dict(problem.as_dict()) == problem


@pytest.mark.parametrize("thresholds", [(0.5,), (0.5, 0.5, 1.5)])
def test_thresholds_that_are_none_are_refused(thresholds):
    with pytest.raises(ConfigError, match="3 probabilities"):
        MultiLabel(PROBLEM.class_names, thresholds)


def test_the_asymmetric_loss_survives_keras_serialisation():
    loss = PROBLEM.loss("asymmetric")

    again = keras.losses.deserialize(keras.losses.serialize(loss))

    assert again.get_config() == loss.get_config()
