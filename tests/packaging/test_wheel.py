"""hubcls works as a wheel, as an editable install and as a bare clone."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = (
    "hubcls",
    "modules",
    "datasets",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)

# A classifier by brightness, saved by whatever hubcls is installed.
MAKE_CLASSIFIER = """
import keras, sys
from pathlib import Path
from hubcls.classification.problem import SingleLabel
from hubcls.export.bundle import save_bundle
from hubcls.preprocessing import Preprocessing

image = keras.Input((8, 8, 3), name="image")
pooled = keras.layers.GlobalAveragePooling2D()(image)
model = keras.Model(image, keras.layers.Dense(2, name="logits")(pooled))
save_bundle(Path(sys.argv[1]), model, problem=SingleLabel(("dark", "light")),
            preprocessing=Preprocessing(8, 8), module_name="brightness")
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The sources in a folder of their own, for pip leaves build/ and egg-info behind."""
    folder = tmp_path_factory.mktemp("clone")
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SHIPPED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skipped)
        else:
            shutil.copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, clone)
    return next(folder.glob("hubcls-*.whl"))


@pytest.fixture(scope="module")
def from_wheel(wheel, tmp_path_factory):
    environment = fresh_environment(tmp_path_factory.mktemp("environment"))
    install(environment, wheel)
    return environment


@pytest.fixture(scope="module")
def editable(clone, tmp_path_factory):
    environment = fresh_environment(tmp_path_factory.mktemp("environment"))
    install(environment, "--no-build-isolation", "--editable", clone)
    return environment


def test_the_wheel_holds_the_whole_catalogue(wheel):
    shipped = set(zipfile.ZipFile(wheel).namelist())
    catalogue = {
        f"hubcls/_catalogue/{kind}/{path.name}"
        for kind in ("modules", "datasets")
        for path in (REPOSITORY / kind).iterdir()
        if path.name != "README.md"
    }

    assert catalogue
    assert catalogue <= shipped


def test_the_wheel_holds_code_types_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert "hubcls/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"hubcls"}


def test_an_installed_wheel_imports_from_its_environment(from_wheel, tmp_path):
    place = run(from_wheel / "bin" / "python", "-c", "import hubcls; print(hubcls.__file__)",
                folder=tmp_path)  # fmt: skip

    assert Path(place.strip()).is_relative_to(from_wheel)


@pytest.mark.parametrize("way", ["from_wheel", "editable"])
def test_an_installed_command_lists_modules_from_another_folder(way, request, tmp_path):
    environment = request.getfixturevalue(way)

    listing = run(environment / "bin" / "hubcls", "modules", "list", folder=tmp_path)

    assert "efficientnet_lite0_imagenet" in listing


@pytest.mark.parametrize("way", ["from_wheel", "editable"])
def test_an_installed_command_lists_datasets_from_another_folder(way, request, tmp_path):
    environment = request.getfixturevalue(way)

    listing = run(environment / "bin" / "hubcls", "datasets", "list", folder=tmp_path)

    assert "digits" in listing


def test_a_bare_clone_runs_where_the_dependencies_are(clone, tmp_path):
    listing = run(
        sys.executable, "-m", "hubcls", "modules", "list", folder=tmp_path, PYTHONPATH=str(clone)
    )

    assert "efficientnet_lite0_imagenet" in listing


def test_an_installed_command_predicts_from_another_folder(from_wheel, tmp_path):
    Image.new("RGB", (20, 10), "white").save(tmp_path / "white.png")
    run(from_wheel / "bin" / "python", "-c", MAKE_CLASSIFIER, "ckpt", folder=tmp_path)

    printed = run(
        from_wheel / "bin" / "hubcls", "predict", "white.png", "--checkpoint", "ckpt",
        folder=tmp_path,
    )  # fmt: skip

    assert printed.startswith("white.png: ")
    assert "dark" in printed
    assert "light" in printed


def fresh_environment(folder):
    """A virtual environment that has this one's packages, but not hubcls."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def install(environment, *what):
    pip(
        "--python", environment / "bin" / "python",
        "install", "--no-deps", "--ignore-installed", *what,
    )  # fmt: skip


def pip(*arguments):
    run(sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments, folder=REPOSITORY)


def run(*command, folder, **environment):
    # A PYTHONPATH of the caller's would hide what is installed.
    without_path = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**without_path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout
