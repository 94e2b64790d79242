"""setup.cfg, the folders and docs/dependencies.md tell the same story."""

import ast
import configparser
import fnmatch
import re

import pytest

DATA_PACKAGES = {"hubcls._catalogue.datasets": "datasets", "hubcls._catalogue.modules": "modules"}
DISTRIBUTIONS = {
    "PIL": "pillow",
    "google": "protobuf",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


@pytest.fixture(scope="module")
def setup(repository):
    parser = configparser.ConfigParser()
    parser.read(repository / "setup.cfg", encoding="utf-8")
    return parser


def test_the_package_list_names_every_folder_with_code(setup, repository):
    folders = {path.parent for path in (repository / "hubcls").rglob("*.py")}
    packages = {".".join(path.relative_to(repository).parts) for path in folders}

    listed = setup["options"]["packages"].split()

    assert listed == sorted(packages | set(DATA_PACKAGES))


def test_every_folder_with_code_has_a_front(repository):
    folders = {path.parent for path in (repository / "hubcls").rglob("*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_catalogue_travels_as_data_packages(setup):
    lines = setup["options"]["package_dir"].strip().splitlines()

    assert dict(line.split(" = ") for line in lines) == DATA_PACKAGES


@pytest.mark.parametrize("package", DATA_PACKAGES)
def test_every_file_of_the_catalogue_is_shipped(package, setup, repository):
    patterns = [item.strip() for item in setup["options.package_data"][package].split(",")]
    folder = repository / DATA_PACKAGES[package]
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"]
    files = [path.relative_to(folder).as_posix() for path in paths]

    left_out = [name for name in files if not any(fnmatch.fnmatch(name, glob) for glob in patterns)]

    assert files
    assert left_out == []


def test_catalogue_folders_hold_no_code(repository):
    folders = DATA_PACKAGES.values()

    assert [path for name in folders for path in (repository / name).rglob("*.py")] == []


def test_every_imported_package_is_declared(setup, sources, standard_library):
    imported = {
        package
        for source in sources
        for node in ast.walk(source.tree)
        for package in source.packages_of(node)
        if package not in standard_library | {"hubcls"}
    }

    undeclared = {distribution_of(name) for name in imported} - declared_names(setup)

    assert not undeclared


def test_every_dependency_is_justified(setup, repository):
    text = (repository / "docs" / "dependencies.md").read_text(encoding="utf-8")
    justified = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))

    assert justified == declared_names(setup) - {"hubcls"}


def test_dependencies_are_sorted(setup):
    listed = requirement_names(setup["options"]["install_requires"])

    assert listed == sorted(listed)


def distribution_of(package):
    return DISTRIBUTIONS.get(package, package.lower().replace("_", "-"))


def requirement_names(text):
    return [re.split(r"[<>=\[;~! ]", line)[0].lower() for line in text.strip().splitlines()]


def declared_names(setup):
    extras = setup["options.extras_require"].values()
    texts = [setup["options"]["install_requires"], *extras]
    return {name for text in texts for name in requirement_names(text)}
