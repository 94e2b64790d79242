"""What a user can import, and what importing it costs."""

import importlib
import subprocess
import sys

import pytest

import hubcls

HEAVY = ("tensorflow", "keras", "tf_keras", "sklearn", "matplotlib", "pandas", "scipy")
LIGHT_WAYS_IN = {
    "import hubcls": "import hubcls",
    "import hubcls.modules": "import hubcls.modules",
    "import hubcls.datasets": "import hubcls.datasets, hubcls.dataset",
    "dir(hubcls)": "import hubcls; dir(hubcls)",
    "hubcls --help": "from hubcls.cli.main import main; main(['--help'])",
    "hubcls --version": "from hubcls.cli.main import main; main(['--version'])",
    "hubcls train --help": "from hubcls.cli.main import main; main(['train', '--help'])",
    "hubcls modules list": "from hubcls.cli.main import main; main(['modules', 'list'])",
    "hubcls datasets list": "from hubcls.cli.main import main; main(['datasets', 'list'])",
}
REPORT = """
import sys
try:
    {way_in}
except SystemExit as end:
    assert end.code in (0, None), end.code
print("loaded:", *[name for name in {heavy} if name in sys.modules])
"""


def test_listing_modules_loads_no_numpy():
    way_in = LIGHT_WAYS_IN["hubcls modules list"]
    code = REPORT.format(way_in=way_in, heavy=("numpy",))

    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert printed.splitlines()[-1] == "loaded:"


def test_public_names_are_sorted():
    assert hubcls.__all__ == sorted(hubcls.__all__)


@pytest.mark.parametrize("name", hubcls.__all__)
def test_every_public_name_resolves(name):
    assert getattr(hubcls, name) is not None


def test_dir_lists_the_public_names():
    assert dir(hubcls) == hubcls.__all__


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Modul'"):
        hubcls.Modul  # noqa: B018


def test_every_room_exports_names_that_exist(sources):
    fronts = [source.module for source in sources if source.path.name == "__init__.py"]

    missing = [
        f"{front}.{name}"
        for front in fronts
        for name in exports_of(front)
        if not hasattr(importlib.import_module(front), name)
    ]

    assert not missing


def test_no_file_is_hidden_by_a_name_that_its_room_exports(sources):
    hidden = [
        source.place
        for source in sources
        if source.path.name != "__init__.py" and source.module.count(".") > 1
        if source.path.stem in exports_of(source.module.rpartition(".")[0])
    ]

    assert not hidden


@pytest.mark.parametrize("way_in", LIGHT_WAYS_IN)
def test_no_tensorflow_is_loaded_by(way_in, repository):
    script = REPORT.format(way_in=LIGHT_WAYS_IN[way_in], heavy=HEAVY)

    result = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "loaded:"


def exports_of(front):
    return getattr(importlib.import_module(front), "__all__", [])
