"""Runs an example as a user does, in a process of its own, on less of everything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "examples" / "image_classification"

# The example itself stays as it is; the names it uses give small things.
SMALL = """
import runpy, sys
import hubcls
from hubcls.datasets.digits import Digits
from hubcls.datasets.folder import ImageFolder
from hubcls.modules.module import Module

def small_module(name, **options):
    return Module(name="efficientnet_lite0_imagenet", **{"input_size": 32, **options})

hubcls.Module = small_module
hubcls.datasets.Digits = lambda: Digits().with_train_examples(40)
hubcls.datasets.Flowers = lambda: ImageFolder(sys.argv[2])
script = sys.argv[1]
sys.argv = [script, *sys.argv[3:]]
sys.path.insert(0, script.rpartition("/")[0])
runpy.run_path(script, run_name="__main__")
"""


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


@pytest.fixture
def run_example(tmp_path, photos):
    def run(name, *arguments):
        command = [sys.executable, "-c", SMALL, FOLDER / name, photos, *arguments]
        return run_process(command, tmp_path)

    return run


def run_process(command, folder):
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HUBCLS_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout
