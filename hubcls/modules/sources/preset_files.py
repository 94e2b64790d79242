"""KerasHub presets as folders of files: where they lie, and what they say of their images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from hubcls.errors import ConfigError, DownloadError, MissingExtraError, OfflineError, WeightsError
from hubcls.home import is_offline
from hubcls.logs import logger
from hubcls.modules.spec import InputRule, ModuleSpec
from hubcls.preprocessing import Interpolation, ResizeRule

_BACKBONE = "config.json"
_WEIGHTS = "model.weights.h5"
_TASK = ("task.json", "task.weights.h5")


@dataclass(frozen=True)
class Preset:
    """A preset's folder, and whether it holds a trained classification head as well."""

    folder: Path
    has_head: bool


def fetched(spec: ModuleSpec, *, with_weights: bool) -> Preset:
    """A preset from Kaggle, or from KaggleHub's cache.

    Args:
        spec: its weights name the preset's handle.
        with_weights: False fetches the configuration alone: it is the architecture.

    Raises:
        OfflineError: it is not in the cache, and HUBCLS_OFFLINE forbids the network.
        DownloadError: Kaggle cannot be reached, or refuses.
        WeightsError: the handle belongs to another preset.
        MissingExtraError: kagglehub is not installed.
    """
    handle = _handle(spec)
    cached = _from_cache(handle, [_BACKBONE, _WEIGHTS] if with_weights else [_BACKBONE])
    if cached is not None:
        return cached
    if is_offline():
        raise OfflineError(
            f"the preset {spec.builder!r} is not in KaggleHub's cache, and HUBCLS_OFFLINE "
            f"forbids the network.\n{_other_ways(spec, handle)}"
        )
    kagglehub = _kagglehub()
    logger.info("fetching %s from Kaggle", handle)
    try:
        if with_weights:
            return opened(Path(kagglehub.model_download(handle)))
        return Preset(Path(kagglehub.model_download(handle, path=_BACKBONE)).parent, False)
    except _errors_of(kagglehub) as error:
        raise DownloadError(
            f"the preset {spec.builder!r} could not be fetched from Kaggle: {error}\n"
            f"{_other_ways(spec, handle)}"
        ) from error


def opened(folder: Path) -> Preset:
    """A preset from a folder that is whole.

    Raises:
        ConfigError: the folder holds no preset of KerasHub.
    """
    if "class_name" not in read_json(folder / _BACKBONE):
        raise ConfigError(
            f"{folder} is no preset of KerasHub: its config.json names no class.\n"
            "  `save_to_preset(folder)` of a KerasHub classifier writes one."
        )
    return Preset(folder, has_head=all((folder / name).is_file() for name in _TASK))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        ConfigError: the file is missing or is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a file of a preset: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} should hold a JSON object")
    return content


def converter_config(folder: Path) -> dict[str, Any] | None:
    """The arguments of the preset's ImageConverter; None when it has none."""
    places: dict[str, Sequence[str]] = {
        "image_converter.json": (),
        "preprocessor.json": ("image_converter", "config"),
        "task.json": ("preprocessor", "config", "image_converter", "config"),
    }
    for name, keys in places.items():
        found: Any = read_json(folder / name)["config"] if (folder / name).is_file() else None
        for key in keys:
            found = (found or {}).get(key)
        if found is not None:
            return dict(found)
    return None


def rule_of(converter: dict[str, Any], place: Path) -> InputRule:
    """A converter's `pixels * scale + offset`, in our terms `(pixels / 255 - mean) / std`.

    Raises:
        ConfigError: it resizes by a method that hubcls does not have.
    """
    scales, offsets = _scale_and_offset(converter)
    std = [1 / (255 * scale) for scale in scales]
    interpolation = converter.get("interpolation", "bilinear")
    if interpolation not in get_args(Interpolation):
        raise ConfigError(
            f"the image converter in {place} resizes by {interpolation!r}; hubcls knows "
            f"{', '.join(get_args(Interpolation))}. Say with rule= which one to take."
        )
    return InputRule(
        mean=_three([-offset * one for offset, one in zip(offsets, std, strict=True)]),
        std=_three(std),
        resize=_resize(converter),
        crop_fraction=1.0,
        interpolation=interpolation,
    )


def _scale_and_offset(converter: dict[str, Any]) -> tuple[list[float], list[float]]:
    if (
        "variance" in converter and "mean" in converter
    ):  # its first arguments; old presets have them
        std = [float(value) ** 0.5 for value in converter["variance"]]
        scale = float(converter.get("scale") or 1.0)
        offsets = [-mean / one for mean, one in zip(converter["mean"], std, strict=True)]
        return [scale / one for one in std], offsets
    slope, offset = converter.get("scale"), converter.get("offset")
    return _per_channel(1.0 if slope is None else slope), _per_channel(offset or 0.0)


def _per_channel(value: float | Sequence[float]) -> list[float]:
    return [float(value)] * 3 if isinstance(value, (int, float)) else [float(one) for one in value]


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red, green, blue


def _resize(converter: dict[str, Any]) -> ResizeRule:
    if converter.get("pad_to_aspect_ratio"):
        return "letterbox"
    return "center_crop" if converter.get("crop_to_aspect_ratio", True) else "stretch"


def _handle(spec: ModuleSpec) -> str:
    urls = spec.weights.urls if spec.weights else ()
    handle = urls[0].removeprefix("kaggle://") if urls else ""
    if spec.builder not in handle.split("/"):
        raise WeightsError(
            f"KerasHub's table sends {spec.builder!r} to the files of another preset, "
            f"{handle or 'none'}, so they cannot be told apart.\n"
            "  Give weights= the folder of the right preset, or take another module."
        )
    return handle


def _from_cache(handle: str, names: Sequence[str]) -> Preset | None:
    """What KaggleHub has marked as fetched whole; half a download has no mark."""
    kagglehub = _kagglehub()
    parsed = kagglehub.handle.parse_model_handle(handle)
    cache = kagglehub.cache.Cache()
    whole = cache.load_from_cache(parsed)
    if whole is not None:
        return opened(Path(whole))
    paths = [cache.load_from_cache(parsed, name) for name in (*names, *_TASK)]
    if None in paths[: len(names)]:
        return None
    return Preset(Path(paths[0]).parent, has_head=None not in paths)


def _kagglehub() -> Any:
    try:
        import kagglehub.cache  # type: ignore[import-untyped]
        import kagglehub.exceptions  # type: ignore[import-untyped]
        import kagglehub.handle  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtraError(
            "kagglehub", extra="keras-hub", purpose="fetching a preset of KerasHub"
        ) from None
    return kagglehub


def _errors_of(kagglehub: Any) -> tuple[type[Exception], ...]:
    """What a download raises: HTTP errors are OSErrors, its own kinds have no common base."""
    names = ("BackendError", "CredentialError", "DataCorruptionError", "NotFoundError")
    own = [getattr(kagglehub.exceptions, name, None) for name in names]
    return (OSError, ValueError, *(kind for kind in own if kind is not None))


def _other_ways(spec: ModuleSpec, handle: str) -> str:
    cousins = f"hubcls modules search {spec.builder.split('_')[0]}"
    return (
        "  Its architecture and its weights lie on Kaggle only. Without Kaggle you can\n"
        f"  - copy https://www.kaggle.com/models/{handle} to a folder, and pass it as weights=;\n"
        "  - copy KaggleHub's cache from a machine that has it (KAGGLEHUB_CACHE, else "
        "~/.cache/kagglehub);\n"
        f"  - take a module that is not from KerasHub: {cousins}."
    )
