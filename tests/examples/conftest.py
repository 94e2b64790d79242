"""Runs an example as its user does, on less of everything."""

import runpy
import sys
from pathlib import Path

import keras
import pytest
from PIL import Image, ImageDraw

import hubcls
from hubcls.datasets.digits import Digits
from hubcls.datasets.folder import ImageFolder
from hubcls.modules import finding
from hubcls.modules.module import Module

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "image_classification"


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Twelve images of each of two classes."""
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
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Conv2D(8, 5, strides=4, activation="relu", name="stem")(image)
    features = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="top")(features)
    folder = tmp_path_factory.mktemp("network")
    keras.Model(image, features).save(folder / "network.keras")
    return folder


@pytest.fixture
def run_example(tmp_path, photos, network, monkeypatch, capsys):
    """The example itself stays as it is; the names that it uses give small things."""

    def small_module(name, input_size=None):
        finding.spec(name)  # an unknown name is an error here too
        return Module(directory=network)

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(FOLDER / name), run_name="__main__")
        return capsys.readouterr().out

    monkeypatch.setattr(hubcls, "Module", small_module)
    monkeypatch.setattr(hubcls.datasets, "Digits", lambda: Digits().with_train_examples(40))
    monkeypatch.setattr(hubcls.datasets, "Flowers", lambda: ImageFolder(photos))
    # Scripts may set these; the test takes them back.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.chdir(tmp_path)
    return run
