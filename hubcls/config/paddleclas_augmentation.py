"""PaddleClas' operations on training images as `pipeline.augmentation`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hubcls.config.paddleclas_parts import Part, below, leaves_of, number, numbered

DATASET = "DataLoader.Train.dataset"
_AUGMENTATION = "pipeline.augmentation"
# The colour that is 0 after PaddleClas' usual normalisation, on our scale of 0 to 255.
_MEAN_COLOR = [124, 116, 104]
_NOT_NEEDED = {
    "DecodeImage": "images are RGB here",
    "ToCHWImage": "images are [B, H, W, 3] here",
}

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Counterpart:
    """What stands here for an operation of PaddleClas.

    Attributes:
        name: of our operation.
        defaults: what theirs takes where nothing is said, by its own names.
        arguments: its argument → ours.
        lengths: likewise, for pixels there that are shares of the image's side here.
        choices: its argument → value there → our arguments.
    """

    name: str
    defaults: Values = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Mapping[Any, Values]] = field(default_factory=dict)


COUNTERPARTS: Mapping[str, Counterpart] = {
    "AugMix": Counterpart(
        "augmix",
        {
            **{"prob": 0.5, "aug_prob_coeff": 0.1, "mixture_width": 3},
            **{"mixture_depth": 1, "aug_severity": 1},
        },
        {"mixture_width": "width", "aug_severity": "severity"},
        choices={"prob": {1.0: {}}, "aug_prob_coeff": {1.0: {}}, "mixture_depth": {-1: {}}},
    ),
    "AutoAugment": Counterpart("auto_augment"),
    "ColorJitter": Counterpart(
        "color_jitter",
        dict.fromkeys(("brightness", "contrast", "saturation", "hue"), 0),
        {name: name for name in ("brightness", "contrast", "saturation", "hue")},
        choices={"prob": {1.0: {}}},
    ),
    "CutmixOperator": Counterpart("cutmix", {"alpha": 0.2}, {"alpha": "alpha"}),
    "Cutout": Counterpart(
        "cutout",
        {"n_holes": 1, "length": 112},
        lengths={"length": "size"},
        choices={"n_holes": {1: {}}},
    ),
    # Their mode 0 hides the bars between the squares, ours and the paper's the squares.
    "GridMask": Counterpart(
        "grid_mask",
        {"d1": 96, "d2": 224, "rotate": 1, "ratio": 0.5, "mode": 0, "prob": 1.0},
        {"ratio": "ratio", "prob": "probability"},
        {"d1": "min_period", "d2": "max_period"},
        {"rotate": {1: {}}, "mode": {1: {}}},
    ),
    "HideAndSeek": Counterpart("hide_and_seek"),
    "ImageNetPolicy": Counterpart("auto_augment"),
    "MixupOperator": Counterpart("mixup", {"alpha": 1.0}, {"alpha": "alpha"}),
    "RandAugment": Counterpart(
        "rand_augment",
        {"num_layers": 2, "magnitude": 5},
        {"num_layers": "num_operations", "magnitude": "magnitude"},
    ),
    "RandomErasing": Counterpart(
        "random_erasing",
        {
            **{"EPSILON": 0.5, "sl": 0.02, "sh": 0.4, "r1": 0.3, "mean": [0.0, 0.0, 0.0]},
            **{"attempt": 100, "use_log_aspect": False, "mode": "const"},
        },
        {"EPSILON": "probability", "sl": "min_area", "sh": "max_area", "r1": "min_aspect"},
        choices={
            # In a square one draw of ten fits less than once in ten million times.
            "attempt": {10: {}, 100: {}},
            "mean": {(0.0, 0.0, 0.0): {}},
            "mode": {"const": {"fill": _MEAN_COLOR}, "pixel": {}},
            "use_log_aspect": {False: {}},
        },
    ),
    # Timm's words for a policy. Theirs happens to an image with probability 0.5 an operation,
    # and "mstd" lets its magnitude wander, so that config_str stands among what is left.
    "TimmAutoAugment": Counterpart("rand_augment", {"interpolation": "bicubic"}),
}


# Sizes that are the image's own here, and the pixels between those of a warped image.
_DETAILS = ("img_size", "interpolation")


def augmentation_part(tree: Values) -> Part:
    """`transform_ops` and `batch_transform_ops` of the training images."""
    targets: dict[str, Any] = {
        f"{_AUGMENTATION}.horizontal_flip": False,
        f"{_AUGMENTATION}.min_area": 1.0,
    }
    not_mapped: dict[str, Any] = {}
    not_needed: dict[str, str] = {}
    operations: list[Values] = []
    for path, name, options in _listed(tree):
        if name in _NOT_NEEDED:
            not_needed[path] = _NOT_NEEDED[name]
            continue
        found, left = _found(name, options, tree)
        if name in _IMAGE_BY_IMAGE:
            targets.update(found)
        elif found:
            operations.append(found)
        not_mapped.update({f"{path}.{key}" if key else path: left[key] for key in left})
    if operations:
        targets[f"{_AUGMENTATION}.operations"] = operations
    return Part(targets, not_mapped, not_needed)


def _listed(tree: Values) -> Iterator[tuple[str, str, Values]]:
    """Path, name and options of every operation, in order."""
    for key in ("transform_ops", "batch_transform_ops"):
        given = below(tree, f"{DATASET}.{key}")
        for numbered_name, options in numbered(given) if isinstance(given, list) else ():
            is_said = isinstance(options, Mapping)
            yield (
                f"{DATASET}.{key}.{numbered_name}",
                numbered_name.partition("#")[0],
                options if is_said else {},
            )


def _found(name: str, options: Values, tree: Values) -> tuple[Values, Values]:
    """What stands for an operation here; all of its options where one is of a wrong type."""
    try:
        if name in _IMAGE_BY_IMAGE:
            return _IMAGE_BY_IMAGE[name](options, tree)
        return _operation(name, options, _side(tree))
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return {}, leaves_of(options)


def _operation(name: str, options: Values, side: int) -> tuple[Values, Values]:
    """Our operation, empty where there is none; and which options it leaves out."""
    if name == "OpSampler":
        return _one_of(options, side)
    if name not in COUNTERPARTS:
        return {}, leaves_of(options) if options else {"": None}
    counterpart = COUNTERPARTS[name]
    found: dict[str, Any] = {"name": counterpart.name}
    left = {}
    for key, value in {**counterpart.defaults, **options}.items():
        hashable = tuple(value) if isinstance(value, list) else value
        choices = counterpart.choices.get(key, {})
        if name == "TimmAutoAugment" and key == "config_str":
            found.update(_timm_policy(str(value)))
            left[key] = value
        elif key in counterpart.arguments:
            found[counterpart.arguments[key]] = number(value)
        elif key in counterpart.lengths:
            found[counterpart.lengths[key]] = number(value) / side
        elif hashable in choices:
            found.update(choices[hashable])
        elif key not in _DETAILS:
            left[key] = value
    return found, left


def _one_of(options: Values, side: int) -> tuple[Values, Values]:
    """OpSampler: one of its operations for each batch there, for each image here."""
    operations, probabilities, left = [], [], {}
    for name, own in options.items():
        found, missing = _operation(name, {k: v for k, v in own.items() if k != "prob"}, side)
        left.update({f"{name}.{key}": value for key, value in missing.items()})
        if found:
            operations.append(found)
            probabilities.append(number(own.get("prob", 0)))
    return {"name": "one_of", "operations": operations, "probabilities": probabilities}, left


def _timm_policy(text: str) -> Values:
    """What there is here of a policy such as "rand-m9-n2-mstd0.5-inc1"."""
    kind, *words = text.split("-")
    if kind in ("original", "originalr"):
        return {"name": "auto_augment"}
    found: dict[str, Any] = {"magnitude": 10, "num_operations": 2}
    for word in words:
        for letter, name in (("m", "magnitude"), ("n", "num_operations")):
            if word.startswith(letter) and word[1:].isdigit():
                found[name] = int(word[1:])
    return found


def _crop(options: Values, tree: Values) -> tuple[Values, Values]:
    """RandCropImage, torchvision's RandomResizedCrop."""
    smallest, greatest = map(number, options.get("scale") or (0.08, 1.0))
    low, high = map(number, options.get("ratio") or (3 / 4, 4 / 3))
    found = {f"{_AUGMENTATION}.min_area": smallest}
    if "ratio" in options:
        found |= {f"{_AUGMENTATION}.min_aspect": low, f"{_AUGMENTATION}.max_aspect": high}
    if options.get("interpolation"):
        found[f"{_AUGMENTATION}.interpolation"] = options["interpolation"]
    known = ("size", "scale", "ratio", "interpolation", "backend", "use_log_aspect")
    left = {key: value for key, value in options.items() if key not in known}
    return found, left | ({} if greatest == 1 else {"scale": options["scale"]})


def _flip(options: Values, tree: Values) -> tuple[Values, Values]:
    if options.get("flip_code", 1) == 1:
        return {f"{_AUGMENTATION}.horizontal_flip": True}, {}
    return {}, options


def _normalize(options: Values, tree: Values) -> tuple[Values, Values]:
    """NormalizeImage, whose numbers are here only compared with the module's."""
    given = {f"pipeline.images_{key}": options[key] for key in ("mean", "std") if key in options}
    known = ("mean", "std", "scale", "order", "output_fp16")
    usual = {"channel_num": 3}
    return given, {
        key: value for key, value in options.items() if key not in known and usual.get(key) != value
    }


def _resize(options: Values, tree: Values) -> tuple[Values, Values]:
    """ResizeImage to the very size of the input stretches."""
    size = options.get("size")
    wanted = below(tree, "Global.image_shape")
    height_width = [size, size] if isinstance(size, int) else size
    if isinstance(wanted, list) and height_width == wanted[1:]:
        return {"pipeline.resize": "stretch"}, {}
    return {}, options


_IMAGE_BY_IMAGE = {
    "NormalizeImage": _normalize,
    "RandCropImage": _crop,
    "RandFlipImage": _flip,
    "ResizeImage": _resize,
}


def _side(tree: Values) -> int:
    """Pixels of the input's shorter side."""
    shape = below(tree, "Global.image_shape")
    with contextlib.suppress(TypeError, ValueError):
        return int(min(shape[1:]))
    return 224
