"""A function that writes and reads a config."""

import pytest

from hubcls.classification import SingleLabel, build_classifier
from hubcls.config.building import read_config
from hubcls.config.reading import override
from hubcls.errors import ConfigError
from hubcls.export.bundle import save_bundle
from hubcls.modules.module import Module


@pytest.fixture(scope="session")
def teacher(network, tmp_path_factory):
    """The folder of a saved classifier that tells the classes of `photos` apart."""
    module = Module(directory=network)
    folder = tmp_path_factory.mktemp("teacher") / "best_model"
    save_bundle(
        folder,
        build_classifier(module.backbone, num_outputs=2, seed=0),
        problem=SingleLabel(("daisy", "roses")),
        preprocessing=module.preprocessing,
        module_name=module.name,
    )
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
