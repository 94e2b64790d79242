"""The loss of a student: its teacher's answers, and labels where there are any."""

import keras
import numpy as np
import pytest

from hubcls.classification import log_softmax, softmax
from hubcls.classification.distilling import DistillationLoss, TaughtClassifier
from hubcls.errors import ConfigError

RANDOM = np.random.default_rng(0)
TEACHER = RANDOM.normal(size=(4, 3)).astype(np.float32)
STUDENT = RANDOM.normal(size=(4, 3)).astype(np.float32)
# The last image has no label.
LABELS = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
TARGETS = np.concatenate([LABELS, TEACHER], axis=1)


def loss_of(**options):
    return float(np.mean(DistillationLoss(**options)(TARGETS, STUDENT)))


def kl(p, q):
    return (p * np.log(p / q)).sum(axis=1)


def test_kl_at_a_temperature_is_the_papers():
    p, q = softmax(TEACHER / 4), softmax(STUDENT / 4)

    assert loss_of(temperature=4.0) == pytest.approx(16 * kl(p, q).mean(), rel=1e-4)


def test_js_is_the_mean_divergence_from_the_middle():
    p, q = softmax(TEACHER), softmax(STUDENT)
    middle = (p + q) / 2

    found = loss_of(divergence="js")

    assert found == pytest.approx((kl(p, middle) + kl(q, middle)).mean() / 2, rel=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_labels_count_by_their_share_and_only_where_there_are_any(smoothing):
    p, q = softmax(TEACHER), softmax(STUDENT)
    smooth = (1 - smoothing) * LABELS + smoothing / 3 * LABELS.sum(axis=1, keepdims=True)
    cross_entropy = -(smooth * log_softmax(STUDENT)).sum(axis=1)

    found = loss_of(label_weight=0.25, label_smoothing=smoothing)

    assert found == pytest.approx((0.75 * kl(p, q) + 0.25 * cross_entropy).mean(), rel=1e-4)


def test_a_student_that_answers_like_its_teacher_has_no_loss():
    for divergence in ("kl", "js"):
        same = DistillationLoss(divergence)(TARGETS, TEACHER)

        np.testing.assert_allclose(same, 0, atol=1e-6)


def test_wrong_values_are_all_listed():
    with pytest.raises(ConfigError) as raised:
        DistillationLoss("tv", temperature=0, label_weight=1, label_smoothing=-1)

    for name in ("divergence", "temperature", "label_weight", "label_smoothing"):
        assert name in str(raised.value)


def test_a_taught_classifier_asks_its_teacher_but_does_not_hold_it():
    image = keras.Input((2, 2, 3))
    classifier = keras.Model(image, keras.layers.Dense(3)(keras.layers.Flatten()(image)))
    teacher = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    images = RANDOM.random((4, 2, 2, 3)).astype(np.float32)
    taught = np.array(teacher(images))
    student = TaughtClassifier(classifier, lambda x: teacher(x, training=False))
    student.compile("sgd", DistillationLoss(label_weight=0.5), metrics=[])

    found = student.evaluate(images, LABELS, verbose=0)

    targets = np.concatenate([LABELS, taught], axis=1)
    wanted = DistillationLoss(label_weight=0.5)(targets, np.array(classifier(images)))
    assert found == pytest.approx(np.mean(wanted), rel=1e-5)
    assert len(student.weights) == len(classifier.weights) == 2
    before = [np.array(weight) for weight in teacher.weights]
    student.fit(images, LABELS, verbose=0)
    for old, new in zip(before, teacher.weights, strict=True):
        np.testing.assert_array_equal(old, np.array(new))
