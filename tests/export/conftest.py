import keras
import numpy as np
import pytest

from hubcls.classification.problem import SingleLabel
from hubcls.export.bundle import save_bundle
from hubcls.modules.normalization import normalised_input
from hubcls.preprocessing import Preprocessing


@pytest.fixture(scope="session")
def preprocessing():
    return Preprocessing(16, 24, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2), crop_fraction=0.9)


@pytest.fixture(scope="session")
def problem():
    return SingleLabel(("rose", "tulip", "花"))


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).integers(0, 256, (4, 16, 24, 3), dtype=np.uint8)


@pytest.fixture
def classifier(preprocessing, problem):
    return build_small_classifier(preprocessing, problem.num_classes)


@pytest.fixture
def save(preprocessing, problem):
    """Writes a bundle whose logits are `bias` everywhere, so that saves can be told apart."""

    def save_with_bias(folder, bias):
        model = build_small_classifier(preprocessing, problem.num_classes)
        model.get_layer("logits").kernel.assign(np.zeros((4, 3), np.float32))
        model.get_layer("logits").bias.assign([bias] * 3)
        return save_bundle(
            folder, model, problem=problem, preprocessing=preprocessing, module_name="small"
        )

    return save_with_bias


def build_small_classifier(preprocessing, num_classes):
    keras.utils.set_random_seed(0)
    image, x = normalised_input(preprocessing)
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(keras.layers.ReLU(name="relu")(x))
    x = keras.layers.Dropout(0.2, name="head_dropout")(x)
    return keras.Model(image, keras.layers.Dense(num_classes, dtype="float32", name="logits")(x))
