"""A small network, small photos, and a function that writes and reads a config."""

import keras
import pytest
from PIL import Image, ImageDraw

from hubcls.config.building import read_config
from hubcls.config.reading import override
from hubcls.errors import ConfigError


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("daisy", "white"), ("roses", "red")):
        (folder / name).mkdir()
        for number in range(12):
            image = Image.new("RGB", (64, 48), (20, 90 + 5 * number, 30))
            ImageDraw.Draw(image).ellipse((8 + number, 8, 40 + number, 40), fill=colour)
            image.save(folder / name / f"{number}.jpg")
    return folder


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """The folder of a backbone that is built and traced in a second."""
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Conv2D(8, 5, strides=4, activation="relu", name="stem")(image)
    features = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="top")(features)
    folder = tmp_path_factory.mktemp("network")
    keras.Model(image, features).save(folder / "network.keras")
    return folder


@pytest.fixture
def read(tmp_path):
    """The config of a text and of overrides."""

    def written(text="", *overrides):
        path = tmp_path / "x.yaml"
        path.write_text(text, encoding="utf-8")
        return read_config(path, map(override, overrides))

    return written


@pytest.fixture
def refused(read, tmp_path):
    """What is said against a text and overrides, without the folder's name."""

    def message(text="", *overrides):
        with pytest.raises(ConfigError) as caught:
            read(text, *overrides)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return message
