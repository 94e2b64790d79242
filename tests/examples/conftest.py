"""Runs an example as its user does, on less of everything."""

import runpy
import sys
from pathlib import Path

import pytest

import hubcls
from hubcls.datasets.digits import Digits
from hubcls.datasets.folder import ImageFolder
from hubcls.modules import finding
from hubcls.modules.module import Module

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "image_classification"


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
