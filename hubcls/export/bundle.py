"""A bundle: the folder that holds a classifier and all that using it needs.

`model.keras` is the network from 0–255 images to logits in float32, `bundle.json` the
facts: classes, preprocessing, module, versions. Neither the data set nor the module's
name is needed to load it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from hubcls.classification.kinds import problem_from_dict
from hubcls.classification.problem import Problem
from hubcls.classification.rebuilding import as_float32, is_float32
from hubcls.errors import BundleError, ConfigError, MissingExtraError
from hubcls.modules.sources.saved_model_layer import load_model
from hubcls.preprocessing import Preprocessing
from hubcls.version import __version__
from hubcls.writing import complete_folder, replacing_folder

FORMAT = 1
MODEL_FILE = "model.keras"
FACTS_FILE = "bundle.json"
_EXTRAS = {"keras_cv": "keras-cv", "keras_hub": "keras-hub"}


@dataclass(frozen=True, eq=False)
class Bundle:
    """A classifier with all facts about its input and output.

    Attributes:
        model: images float32 or uint8 [B, H, W, 3], RGB, 0–255, to logits float32 [B, C].
        problem: what the logits mean.
        preprocessing: how an image becomes the model's input.
        module_name: the module that the classifier was fine-tuned from.
        hubcls_version: which hubcls wrote it.
        format_version: of `bundle.json`.
        extra: whatever else was saved along, as plain JSON types.
    """

    model: keras.Model
    problem: Problem
    preprocessing: Preprocessing
    module_name: str
    hubcls_version: str = __version__
    format_version: int = FORMAT
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each logit."""
        return self.problem.class_names


def save_bundle(
    folder: Path,
    model: keras.Model,
    *,
    problem: Problem,
    preprocessing: Preprocessing,
    module_name: str,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a bundle in place of what `folder` held; a kill loses neither.

    Args:
        folder: made when missing. One process at a time may write it.
        model: functional, images 0–255 to logits. A compiled or mixed-precision model is
            copied to float32 first: optimizer and policy stay out of the bundle.
        problem: what the logits mean.
        preprocessing: how an image becomes the model's input.
        module_name: the module that the classifier was fine-tuned from.
        extra: plain JSON types to keep along.

    Returns:
        The folder.

    Raises:
        ConfigError: model, problem and preprocessing do not fit one another.
    """
    _check_fit(model, problem, preprocessing)
    shipped = as_float32(model) if model.compiled or not is_float32(model) else model
    with replacing_folder(folder) as new:
        shipped.save(new / MODEL_FILE)
        facts = {
            "format_version": FORMAT,
            "hubcls_version": __version__,
            "keras_version": keras.__version__,
            "module_name": module_name,
            "problem": problem.as_dict(),
            "preprocessing": preprocessing.as_dict(),
            "model_sha256": _sha256(new / MODEL_FILE),
            "extra": dict(extra or {}),
        }
        text = json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False)
        (new / FACTS_FILE).write_text(text + "\n", encoding="utf-8")
    return folder


def load_bundle(folder: Path) -> Bundle:
    """The classifier in a folder that `save_bundle` wrote.

    The model file is checked against its recorded hash and read in Keras' safe mode; no
    code comes out of it.

    Raises:
        BundleError: the folder holds no bundle, a damaged one, or one from a newer hubcls.
        MissingExtraError: the network has layers of a package that is not installed.
    """
    place = complete_folder(folder)
    facts = _read_facts(place, folder)
    model_file = place / MODEL_FILE
    if not model_file.is_file() or _sha256(model_file) != facts["model_sha256"]:
        raise _damaged(model_file, "its bytes are not the ones that were saved")
    try:
        bundle = Bundle(
            model=_load_model(model_file),
            problem=problem_from_dict(facts["problem"]),
            preprocessing=Preprocessing.from_dict(facts["preprocessing"]),
            module_name=facts["module_name"],
            hubcls_version=facts["hubcls_version"],
            format_version=facts["format_version"],
            extra=facts["extra"],
        )
        _check_fit(bundle.model, bundle.problem, bundle.preprocessing)
    except (KeyError, TypeError, ConfigError) as error:
        raise _damaged(place / FACTS_FILE, f"{type(error).__name__}: {error}") from error
    return bundle


def _read_facts(place: Path, folder: Path) -> dict[str, Any]:
    path = place / FACTS_FILE
    if not path.is_file():
        raise BundleError(
            f"{folder} holds no bundle ({FACTS_FILE} is missing).\n"
            "  Give the folder best_model/ of a finished run, or what save_inference_model wrote."
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        version = int(facts["format_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    if version > FORMAT:
        raise BundleError(
            f"{path} has format {version}, written by hubcls {facts.get('hubcls_version')}; "
            f"this is hubcls {__version__}, which knows formats up to {FORMAT}.\n"
            "  Upgrade it with: pip install --upgrade hubcls"
        )
    missing = {"problem", "preprocessing", "module_name", "model_sha256", "extra"} - facts.keys()
    if missing:
        raise _damaged(path, f"it lacks {', '.join(sorted(missing))}")
    return dict(facts)


def _load_model(path: Path) -> keras.Model:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error
    _import_layers(config)
    try:
        return load_model(path)
    except (TypeError, ValueError, OSError) as error:
        raise BundleError(
            f"{path} cannot be loaded with Keras {keras.__version__}: {error}\n"
            "  If it has layers of your own, import the file that registers them before loading."
        ) from error


def _import_layers(config: Any) -> None:
    """Import the files that register the layers of a saved model.

    Only our own and the extras' files are ever imported by name; what else a model
    names must have been imported by whoever loads it.
    """
    for module in sorted(set(_modules_in(config))):
        package = module.split(".")[0]
        if package != "hubcls" and package not in _EXTRAS:
            continue
        try:
            importlib.import_module(module if package == "hubcls" else package)
        except ImportError as error:
            if package in _EXTRAS:
                raise MissingExtraError(
                    package, extra=_EXTRAS[package], purpose="this classifier"
                ) from error
            raise BundleError(
                f"the classifier has layers of {module}, which hubcls {__version__} lacks; "
                "load it with the hubcls that wrote it"
            ) from error


def _modules_in(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(node.get("module"), str):
            yield node["module"]
        children: Any = node.values()
    else:
        children = node if isinstance(node, list) else ()
    for child in children:
        yield from _modules_in(child)


def _check_fit(model: keras.Model, problem: Problem, preprocessing: Preprocessing) -> None:
    size = (preprocessing.height, preprocessing.width, 3)
    wrong = []
    if tuple(model.input_shape[1:]) not in {size, (None, None, 3)}:
        wrong.append(f"the model takes images {list(model.input_shape[1:])}, not {list(size)}")
    if model.output_shape[-1] != problem.num_classes:
        wrong.append(
            f"the model gives {model.output_shape[-1]} logits for {problem.num_classes} classes"
        )
    if wrong:
        raise ConfigError("classifier and facts do not fit:\n  " + "\n  ".join(wrong))


def _damaged(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path} is damaged: {reason}\n"
        "  Copy the whole folder again, or save the classifier anew from its run."
    )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
