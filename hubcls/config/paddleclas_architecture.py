"""PaddleClas' architectures as `module`; DistillationModel and its losses as `task`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubcls.config.paddleclas_parts import Part, below, leaves_of, number, numbered

Values = Mapping[str, Any]

_MODELS, _LOSSES = "Arch.models", "Loss.Train"
_PAIR = ["Student", "Teacher"]
_FROZEN_TEACHER = [True, False]
# A loss there → how answers are compared here, and at which temperature it does so.
_DIVERGENCES: Mapping[str, tuple[str, float]] = {
    "DistillationCELoss": ("kl", 1.0),  # the cross-entropy is the divergence and a constant
    "DistillationDMLLoss": ("js", 1.0),
    "DistillationKLDivLoss": ("kl", 4.0),
}
_LABELS = "DistillationGTCELoss"
_SAYS_NOTHING: Mapping[str, tuple[Any, ...]] = {
    "Arch.freeze_params_list": (_FROZEN_TEACHER,),
    "Arch.infer_model_name": ("Student",),
    "Arch.pretrained_list": (None,),
}


def architecture_part(tree: Values) -> Part:
    """`Arch` and `Loss.Train`: a network, or a teacher with its student."""
    options = below(tree, "Arch")
    if not isinstance(options, Mapping):
        return Part()
    if options.get("name") == "DistillationModel":
        return _distillation(tree)
    found, left = _network(options)
    losses = below(tree, _LOSSES)
    rest = leaves_of(losses, _LOSSES) if losses else {}
    rest |= {f"Arch.{key}": value for key, value in left.items()}
    return Part({f"module.{key}": value for key, value in found.items()}, rest, {})


def _distillation(tree: Values) -> Part:
    given = below(tree, _MODELS)
    models = dict(numbered(given)) if isinstance(given, list) else {}
    targets: dict[str, Any] = {"task.name": "DistillationTask"}
    left: dict[str, Any] = {}
    for name in ("Teacher", "Student"):
        model = models.pop(name, None)
        found, missing = _network(model if isinstance(model, Mapping) else {})
        left.update({f"{_MODELS}.{name}.{key}": value for key, value in missing.items()})
        if name == "Student":
            targets |= {f"module.{key}": value for key, value in found.items()}
        else:
            targets["task.teacher"] = found
    left |= leaves_of(models, _MODELS) if models else {}
    for key, values in _SAYS_NOTHING.items():
        value = below(tree, key)
        if value not in values and value is not None:
            left[key] = value
    loss = _loss(below(tree, _LOSSES))
    return Part({**targets, **loss.targets}, {**left, **loss.not_mapped}, {})


def _network(options: Values) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of `hubcls.Module`, and the options that they leave out.

    Args:
        options: name, pretrained, use_ssld … of an architecture of PaddleClas.
    """
    given = {key: value for key, value in options.items() if key != "class_num"}
    name, pretrained = given.pop("name", None), given.pop("pretrained", None)
    scale, is_ssld = given.pop("scale", None), given.pop("use_ssld", False)
    if name == "PPLCNet" and scale is not None:
        name = f"PPLCNet_x{float(scale)}".replace(".", "_")
    elif scale is not None:
        given["scale"] = scale
    if is_ssld and pretrained is True:
        name = f"{name}_ssld"
    found: dict[str, Any] = {"name": name, "weights": "imagenet" if pretrained is True else None}
    if isinstance(pretrained, str):
        found["weights"] = pretrained if Path(pretrained).suffix else f"{pretrained}.pdparams"
    elif pretrained not in (True, False, None):
        given["pretrained"] = pretrained
    return found, {key: value for key, value in given.items() if not _is_default(key, value)}


def _is_default(key: str, value: Any) -> bool:
    """Whether an option of an architecture changes nothing."""
    defaults: Mapping[str, tuple[Any, ...]] = {
        "act": ("hardswish",),  # of PPLCNet
        "data_format": ("NCHW", "NHWC"),
        "drop_rate": (0,),
        "dropout_prob": (0,),
        "input_image_channel": (3,),
        "return_patterns": (None,),
    }
    return value in defaults.get(key, ())


def _loss(losses: Any) -> Part:
    """`DistillationLoss`' arguments from the first loss that compares, and that of labels."""
    targets: dict[str, Any] = {}
    left: dict[str, Any] = {}
    weights: dict[str, float] = {}
    for name, options in numbered(losses) if isinstance(losses, list) else ():
        own = dict(options) if isinstance(options, Mapping) else {}
        path = f"{_LOSSES}.{name}"
        if name in _DIVERGENCES and not weights.get("answers"):
            weights["answers"] = number(own.pop("weight", 1.0))
            divergence, temperature = _DIVERGENCES[name]
            targets["task.loss.divergence"] = divergence
            targets["task.loss.temperature"] = number(own.pop("temperature", temperature))
            if name == "DistillationDMLLoss":
                # Half the sum of both divergences; ours is from their mean (Jensen, Shannon).
                left[path] = "the symmetric divergence"
        elif name == _LABELS:
            weights["labels"] = number(own.pop("weight", 1.0))
            targets["task.loss.label_smoothing"] = number(own.pop("epsilon", None) or 0)
        else:
            left |= leaves_of(options, path)
            continue
        left |= {f"{path}.{key}": value for key, value in own.items() if not _is_usual(key, value)}
    both = sum(weights.values())
    if weights.get("labels") and weights.get("answers"):
        targets["task.loss.label_weight"] = weights["labels"] / both
    if both not in (0, 1):
        left[f"{_LOSSES}.*.weight"] = f"{both:g} in all, here 1"
    return Part(targets, left, {})


def _is_usual(key: str, value: Any) -> bool:
    usual: Mapping[str, tuple[Any, ...]] = {
        "key": ("logits", None),
        "model_name_pairs": ([_PAIR],),
        "model_names": (["Student"],),
        "act": ("softmax",),
    }
    return value in usual.get(key, ())
