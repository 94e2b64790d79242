"""A classifier that tells dark from light images, and some of each."""

import keras
import numpy as np
import pytest
from PIL import Image

from hubcls.classification.problem import SingleLabel
from hubcls.export.bundle import save_bundle
from hubcls.preprocessing import Preprocessing


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A run's folder with a best model that needed no training."""
    image = keras.Input((8, 8, 3), name="image")
    brightness = keras.layers.GlobalAveragePooling2D()(image)
    logits = keras.layers.Dense(2, name="logits")(brightness)
    model = keras.Model(image, logits)
    slope = np.array([[-0.01, 0.01]] * 3, np.float32)
    model.get_layer("logits").set_weights([slope, np.array([3.825, -3.825], np.float32)])
    folder = tmp_path_factory.mktemp("run")
    save_bundle(
        folder / "best_model",
        model,
        problem=SingleLabel(("dark", "light")),
        preprocessing=Preprocessing(height=8, width=8),
        module_name="brightness",
    )
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A data set in class folders, ten grey images a class; one dark image lies as light."""
    folder = tmp_path_factory.mktemp("photos")
    for name, start in (("dark", 0), ("light", 155)):
        (folder / name).mkdir()
        for number in range(10):
            grey = start + 10 * number
            Image.new("RGB", (12, 8), (grey, grey, grey)).save(folder / name / f"{number}.png")
    return folder
