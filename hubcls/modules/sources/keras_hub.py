"""Image classifiers of KerasHub: its presets by name, and preset folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from hubcls.errors import ConfigError, MissingExtraError, WeightsError
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources import preset_files
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.flattening import laid_open, one_group
from hubcls.modules.sources.naming import fix_automatic_names
from hubcls.modules.sources.preset_files import Preset
from hubcls.modules.spec import InputRule, ModuleSpec, Paper

_NUM_CLASSES = 1000
_DEFAULT_SIZE = 224


def spec_of(directory: str, *, rule: InputRule | None = None) -> ModuleSpec:
    """What a preset folder says of itself; nothing is built.

    Args:
        directory: written by `save_to_preset` of a KerasHub classifier, or copied from
            Kaggle.
        rule: how images must be normalised; without it, the preset's ImageConverter counts.

    Raises:
        ConfigError: the folder holds no preset, or it does not say how images are
            normalised.
    """
    folder = Path(directory).expanduser().resolve()
    preset_files.opened(folder)
    converter = preset_files.converter_config(folder)
    if converter is None and rule is None:
        raise ConfigError(
            f"the preset in {folder} has no ImageConverter, so it does not say how images are "
            "normalised.\n  Save the classifier with its preprocessor, or pass rule="
            "hubcls.modules.spec.InputRule(mean=…, std=…)."
        )
    height, width = _size(folder, converter or {})
    return ModuleSpec(
        name=folder.name,
        family="keras_hub",
        summary=f"the KerasHub preset in {folder}",
        source="keras_hub",
        builder=str(folder),
        preprocessing=(rule or preset_files.rule_of(converter or {}, folder)).sized(height, width),
        paper=Paper(title="unknown", year=0),
        licence="unknown",
        class_names=None,
        min_size=1,
    )


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """A network of KerasHub that takes RGB pixels 0–255, and its head when it is trained.

    Args:
        spec: a module whose source is "keras_hub".
        weights: None (random), "imagenet" (the preset's), or a folder with a preset of
            the same architecture.
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.

    Raises:
        MissingExtraError: keras_hub is not installed.
        DownloadError: the preset cannot be fetched; even random weights need its
            configuration.
        ConfigError: the network does not take images of this size.
        WeightsError: the preset normalises images otherwise than the catalogue says.
    """
    keras_hub = _keras_hub(spec)
    preset = _preset(spec, weights)
    _check_normalisation(spec, preset.folder)
    classifier = _classifier(keras_hub, preset, weights is not None, (height, width, 3))
    image, normalised = normalised_input(spec.preprocessing.replaced(height=height, width=width))
    fix_automatic_names(classifier.backbone)
    features, head = _features_and_head(classifier, normalised)
    backbone = keras.Model(image, features, name=spec.name)
    fix_automatic_names(backbone)
    has_head = weights is not None and preset.has_head and head.output.shape[-1] == _NUM_CLASSES
    return Built(backbone, head if has_head else None, one_group(backbone))


def _preset(spec: ModuleSpec, weights: str | Path | None) -> Preset:
    if weights is not None and weights != "imagenet":
        if not Path(weights).is_dir():
            raise ConfigError(
                f"weights of {spec.name} must be the folder of a KerasHub preset, not {weights}"
            )
        return preset_files.opened(Path(weights))
    if spec.weights is None:
        return preset_files.opened(Path(spec.builder))
    return preset_files.fetched(spec, with_weights=weights is not None)


def _check_normalisation(spec: ModuleSpec, folder: Path) -> None:
    """Refuse a preset whose converter contradicts the catalogue: one of them is wrong."""
    converter = preset_files.converter_config(folder)
    if spec.weights is None or converter is None:
        return
    found, known = preset_files.rule_of(converter, folder), spec.preprocessing
    if np.allclose((found.mean, found.std), (known.mean, known.std), atol=1e-4):
        return
    raise WeightsError(
        f"the preset in {folder} normalises images by mean {found.mean} and std {found.std}; "
        f"the catalogue says {known.mean} and {known.std} for {spec.name}.\n"
        f"  Module(directory={str(folder)!r}) takes the preset's word; please report the catalogue."
    )


def _classifier(keras_hub: Any, preset: Preset, with_weights: bool, shape: Any) -> Any:
    """The preset's classifier; where it has none, its backbone under a fresh head."""
    options: dict[str, Any] = {"load_weights": with_weights, "preprocessor": None}
    if not preset.has_head:
        options["num_classes"] = _NUM_CLASSES
    own_shape = preset_files.read_json(preset.folder / "config.json")["config"].get("image_shape")
    is_resized = own_shape is not None and None not in own_shape and tuple(own_shape) != shape
    if is_resized:
        options["image_shape"] = shape
    try:
        return keras_hub.models.ImageClassifier.from_preset(
            str(preset.folder), dtype="float32", **options
        )
    except (ValueError, TypeError, KeyError, OSError) as error:
        if is_resized:
            raise ConfigError(
                f"the preset in {preset.folder} takes images of {own_shape[0]} x {own_shape[1]} "
                f"pixels only, not of {shape[0]} x {shape[1]}: {error}"
            ) from error
        raise WeightsError(
            f"KerasHub cannot build a classifier from the preset in {preset.folder}: {error}"
        ) from error


def _features_and_head(classifier: Any, normalised: Any) -> tuple[Any, keras.Model]:
    """The features of normalised images, laid open, and the network from them to logits.

    Features are a feature map, or the vector that the classifier makes of tokens.
    """
    outputs = laid_open(classifier.backbone, normalised)
    if isinstance(outputs, dict):  # a pyramid, coarsest last; classifiers read that one
        outputs = list(outputs.values())[-1]
    behind = classifier.operations[classifier.operations.index(classifier.backbone) + 1 :]
    start = behind[0].input
    if len(start.shape) != 3:
        return outputs, keras.Model(start, classifier.output, name="head")
    vector = next(step.output for step in behind if len(step.output.shape) == 2)
    pooling = keras.Model(start, vector)
    return pooling.call(outputs), keras.Model(vector, classifier.output, name="head")


def _size(folder: Path, converter: dict[str, Any]) -> tuple[int, int]:
    """The converter's size, else the network's own, else 224."""
    network = preset_files.read_json(folder / "config.json")["config"].get("image_shape") or ()
    old_form: Any = (converter.get("height"), converter.get("width"))
    for sides in (converter.get("image_size"), old_form, network[:2]):
        if sides and None not in sides:
            return int(sides[0]), int(sides[1])
    return _DEFAULT_SIZE, _DEFAULT_SIZE


def _keras_hub(spec: ModuleSpec) -> Any:
    try:
        import keras_hub
    except ImportError:
        raise MissingExtraError(
            "keras_hub", extra="keras-hub", purpose=f"the module {spec.name}"
        ) from None
    return keras_hub
