import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from hubcls.errors import TrainingError
from hubcls.training.probing import STRENGTHS, solve_probe


def clouds(count, classes, seed, spread=1.0):
    """Gaussian clouds around fixed centres in 6 dimensions, on far different scales."""
    centres = np.random.default_rng(7).normal(size=(classes, 6)) * 2
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = centres[labels] + random.normal(scale=spread, size=(count, 6))
    return (features * [1, 3, 0.3, 1, 1, 1] + 5).astype(np.float32), labels


def scaling(features):
    deviations = features.std(0)
    return features.mean(0), np.maximum(deviations, np.sqrt(np.mean(deviations**2)))


def right(probe, features, labels):
    return float(((features @ probe.kernel + probe.bias).argmax(1) == labels).mean())


@pytest.mark.parametrize("classes", [2, 4])
def test_the_probe_separates_classes_on_unscaled_features(classes):
    train, val = clouds(200, classes, 0), clouds(100, classes, 1)

    probe = solve_probe(train, val, num_classes=classes)

    assert right(probe, *val) > 0.9
    assert probe.kernel.shape == (6, classes)
    assert probe.kernel.dtype == np.float32


def test_the_head_gives_the_solvers_probabilities():
    train, val = clouds(200, 2, 0, spread=3.0), clouds(100, 2, 1, spread=3.0)

    probe = solve_probe(train, val, num_classes=2)

    mean, std = scaling(train[0])
    # scikit-learn has one vector for two classes, and so half the penalty of our two.
    solver = LogisticRegression(C=2 * probe.strength, max_iter=1000).fit(
        (train[0] - mean) / std, train[1]
    )
    logits = val[0] @ probe.kernel + probe.bias
    own = np.exp(logits[:, 1]) / np.exp(logits).sum(1)
    np.testing.assert_allclose(own, solver.predict_proba((val[0] - mean) / std)[:, 1], atol=5e-3)


def test_the_strength_is_the_best_on_validation():
    train, val = clouds(40, 3, 0, spread=4.0), clouds(300, 3, 1, spread=4.0)

    probe = solve_probe(train, val, num_classes=3)

    mean, std = scaling(train[0])
    losses = {}
    for strength in STRENGTHS:
        solver = LogisticRegression(C=strength, max_iter=1000)
        solver.fit((train[0] - mean) / std, train[1])
        probabilities = solver.predict_proba((val[0] - mean) / std)
        losses[strength] = -np.log(probabilities[np.arange(300), val[1]]).mean()
    assert probe.strength == min(losses, key=losses.get)


def test_a_feature_that_hardly_fires_gets_no_huge_weight():
    (features, labels), val = clouds(200, 3, 0), clouds(100, 3, 1)
    features[:, 0] = 1e-4 * (labels == 1)

    probe = solve_probe((features, labels), val, num_classes=3)

    assert np.abs(probe.kernel).max() < 100


def test_a_class_without_examples_is_never_predicted():
    (features, labels), val = clouds(90, 3, 0), clouds(60, 3, 1)
    without = labels != 1

    probe = solve_probe((features[without], labels[without]), val, num_classes=3)

    assert 1 not in (val[0] @ probe.kernel + probe.bias).argmax(1)


def test_class_weights_move_the_border():
    train, val = clouds(200, 2, 0, spread=5.0), clouds(400, 2, 1, spread=5.0)

    plain = solve_probe(train, val, num_classes=2)
    weighted = solve_probe(train, val, num_classes=2, class_weights={0: 1.0, 1: 20.0})

    def share_of_ones(probe):
        return float((val[0] @ probe.kernel + probe.bias).argmax(1).mean())

    assert share_of_ones(weighted) > share_of_ones(plain) + 0.1


def test_one_class_alone_is_an_error():
    features, labels = clouds(20, 2, 0)

    with pytest.raises(TrainingError, match="two classes"):
        solve_probe((features, labels * 0), (features, labels * 0), num_classes=2)
