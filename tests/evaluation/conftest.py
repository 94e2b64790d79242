import keras
import numpy as np
import pytest

from hubcls.classification.classifier import build_classifier
from hubcls.classification.metrics import confusion, per_class
from hubcls.classification.problem import SingleLabel
from hubcls.evaluation.evaluating import Evaluation
from hubcls.modules.normalization import normalised_input
from hubcls.preprocessing import Preprocessing


@pytest.fixture
def preprocessing():
    return Preprocessing(16, 16, resize="stretch")


@pytest.fixture(scope="session")
def classifier():
    """Untrained, its logits spread so that images get different classes; do not change it."""
    keras.utils.set_random_seed(0)
    image, x = normalised_input(Preprocessing(16, 16, mean=(0.5,) * 3, std=(0.25,) * 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    model = build_classifier(keras.Model(image, x), num_outputs=3, seed=0)
    kernel = model.get_layer("logits").kernel
    kernel.assign(100 * kernel)
    return model


@pytest.fixture
def make_evaluation():
    """A function that makes an evaluation of some classes, on logits drawn from a seed."""

    def make(num_classes=3, num_examples=60, phase="test"):
        random = np.random.default_rng(num_classes)
        labels = random.integers(0, num_classes, num_examples)
        logits = random.normal(size=(num_examples, num_classes)) + 2 * np.eye(num_classes)[labels]
        problem = SingleLabel(tuple(f"class {index}" for index in range(num_classes)))
        return Evaluation(
            phase=phase,
            num_examples=num_examples,
            loss=problem.cross_entropy(logits, labels),
            scores={"accuracy": float((logits.argmax(axis=1) == labels).mean())},
            per_class=per_class(logits, labels, problem),
            confusion=confusion(logits, labels, problem),
            seconds=2.0,
            images_per_second=num_examples / 2.0,
            fitted=problem,
        )

    return make
