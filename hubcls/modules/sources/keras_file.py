"""A module from a folder with one `.keras` model."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from hubcls.errors import BundleError, ConfigError, WeightsError
from hubcls.modules.normalization import InputNormalization, normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.saved_model_layer import load_model
from hubcls.modules.spec import InputRule, ModuleSpec, Paper
from hubcls.preprocessing import Preprocessing

_NORMALIZATION = "hubcls>InputNormalization"


def spec_of(directory: str, *, rule: InputRule | None = None) -> ModuleSpec:
    """What the model's own configuration says; nothing is built.

    Args:
        directory: a folder with one `.keras` file: a backbone as `Module.backbone.save`
            writes it, or any functional model from one image to features.
        rule: how images must be normalised; without it, the model's `InputNormalization`
            counts, and a model that has none gets pixels as they are, 0–255.

    Raises:
        ConfigError: the folder holds no or several models, or none that takes an image.
    """
    path = _only_model(Path(directory).expanduser())
    layers = list(_layers(_config(path)))
    shapes = [
        layer["config"]["batch_shape"] for layer in layers if layer["class_name"] == "InputLayer"
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] != 3 or None in shapes[0][1:]:
        raise ConfigError(
            f"{path} takes {shapes}; a module takes one image [None, height, width, 3] of fixed "
            "height and width"
        )
    own = [layer["config"] for layer in layers if layer["registered_name"] == _NORMALIZATION]
    if own and rule is None:
        rule = InputRule(tuple(own[0]["mean"]), tuple(own[0]["std"]), own[0]["channel_order"])
    return ModuleSpec(
        name=Path(directory).name,
        family="keras_file",
        summary=f"the model {path.name}",
        source="keras_file",
        builder=str(path),
        preprocessing=(rule or InputRule()).sized(shapes[0][1], shapes[0][2]),
        paper=Paper(title="unknown", year=0),
        licence="unknown",
        class_names=None,
        min_size=1,
    )


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """The saved model on images of this size.

    Raises:
        ConfigError: other weights than its own are wanted.
        WeightsError: the file cannot be read.
    """
    if weights != "imagenet":
        raise ConfigError(
            f"{spec.name} is a model with its own weights, so it cannot take weights={weights!r}; "
            "leave the argument out"
        )
    try:
        saved = load_model(spec.builder, is_compiled=False)
    except (BundleError, ValueError, TypeError, OSError) as error:
        raise WeightsError(f"{spec.builder} cannot be read as a Keras model: {error}") from error
    return Built(_on_image(saved, spec.preprocessing.replaced(height=height, width=width)))


def _on_image(saved: keras.Model, preprocessing: Preprocessing) -> keras.Model:
    """The same layers behind our input; a normalisation of ours in it is left out."""
    image, normalised = normalised_input(preprocessing)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, InputNormalization):
            return normalised
        fed = [normalised if argument is image else argument for argument in args]
        return layer(*fed, **kwargs)

    backbone = keras.models.clone_model(saved, input_tensors=image, call_function=call)
    for layer in backbone.layers:
        if layer.weights:
            layer.set_weights(saved.get_layer(layer.name).get_weights())
    return backbone


def _only_model(folder: Path) -> Path:
    paths = sorted(folder.glob("*.keras"))
    if len(paths) != 1:
        raise ConfigError(
            f"{folder} should hold one .keras model, not {[path.name for path in paths]}"
        )
    return paths[0]


def _config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            config: dict[str, Any] = json.loads(archive.read("config.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ConfigError(f"{path} is no .keras model: {error}") from error
    return config


def _layers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from config.get("config", {}).get("layers", [])
