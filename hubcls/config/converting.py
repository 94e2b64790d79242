"""A PaddleClas configuration as one of ours, and a list of what has no counterpart."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hubcls.config.building import read_config
from hubcls.config.paddleclas_keys import EMPTY, KNOWN_VALUES, NOT_NEEDED, SAME_VALUE
from hubcls.config.reading import change, read_file
from hubcls.errors import ConfigError
from hubcls.typed_yaml import Reader, dump

# RandCropImage's default share of the picture (torchvision's RandomResizedCrop).
_LEAST_AREA = 0.08
_TRAIN, _EVAL = "DataLoader.Train.dataset", "DataLoader.Eval.dataset"
# What PaddleClas does where its configuration says nothing.
_BEFORE: Mapping[str, Any] = {
    "module.weights": None,
    "pipeline.augmentation.horizontal_flip": False,
    "pipeline.augmentation.min_area": 1.0,
    "strategy.name": "scheduled",
    "strategy.schedule": "constant",
}

Computed: TypeAlias = Callable[[Any, Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Conversion:
    """What became of a PaddleClas configuration.

    Attributes:
        values: our sections.
        not_mapped: "key: value" of everything that they leave out.
        not_needed: PaddleClas key → why nothing stands for it.
        problems: why `hubcls train` would refuse the values, the data set apart.
    """

    values: Mapping[str, Any]
    not_mapped: tuple[str, ...]
    not_needed: Mapping[str, str]
    problems: tuple[str, ...]

    def as_yaml(self, source: str) -> str:
        """The config as text; what it leaves out stands in comments above."""
        missing = [f"#   {line}" for line in self.not_mapped] or ["#   nothing"]
        spared = [f"#   {key}: {why}" for key, why in self.not_needed.items()]
        comments = [f"# Converted from {source}.", "# Not mapped:", *missing]
        comments += ["# Not needed:", *spared] if spared else []
        refused = [f"#   {line}" for line in self.problems]
        comments += ["# hubcls train refuses it:", *refused] if refused else []
        return "\n".join(comments) + f"\n{dump(self.values)}"


def converted(path: Path) -> Conversion:
    """A PaddleClas configuration in our words.

    Args:
        path: a YAML file with the sections Global, Arch, Loss, Optimizer, DataLoader …

    Raises:
        ConfigError: the file cannot be read, or has none of these sections.
    """
    reader = Reader()
    tree = reader.convert(read_file(path), Mapping[str, Any], "the configuration")
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    leaves = dict(_leaves(tree))
    if "Arch.name" not in leaves:
        raise ConfigError(f"{path} has no Arch.name; is it a PaddleClas configuration?")
    targets = dict(_BEFORE)
    not_mapped, not_needed = [], {}
    for key, value in leaves.items():
        why = _reason(key, value)
        found = None if why else _targets(key, value, leaves)
        if why:
            not_needed[key] = why
        elif found is None:
            not_mapped.append(f"{key}: {value}")
        else:
            targets.update(found)
    values = _nested(targets)
    return Conversion(values, tuple(not_mapped), not_needed, _problems(values))


def _problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    # The data set is opened nowhere yet: its folder may be on another machine.
    sections = {name: value for name, value in values.items() if name != "dataset"}
    try:
        read_config(None, [change((name,), value, name) for name, value in sections.items()])
    except ConfigError as error:
        return tuple(str(error).splitlines())
    return ()


def _leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted path → value; a list of operations, {name: options}, counts as a mapping."""
    if isinstance(value, list) and value and all(_is_operation(item) for item in value):
        value = {name: options for item in value for name, options in _as_mapping(item).items()}
    if not isinstance(value, Mapping) or not value:
        return [(prefix, value)]
    return [
        leaf
        for key, item in value.items()
        for leaf in _leaves(item, f"{prefix}.{key}" if prefix else str(key))
    ]


def _is_operation(item: Any) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and len(item) == 1)


def _as_mapping(item: Any) -> Mapping[str, Any]:
    return {item: None} if isinstance(item, str) else item


def _reason(key: str, value: Any) -> str:
    """Why a key needs nothing here; "" when it does."""
    if key in EMPTY and EMPTY[key] == value and type(EMPTY[key]) is type(value):
        return "as by default"
    if key in SAME_VALUE or key in KNOWN_VALUES or key in _COMPUTED:
        return ""
    return next((why for form, why in NOT_NEEDED.items() if fnmatch.fnmatchcase(key, form)), "")


def _targets(key: str, value: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a key sets here; None when it has no counterpart."""
    if key in _COMPUTED:
        # Values of another type than PaddleClas itself would take have no counterpart.
        with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
            return _COMPUTED[key](value, leaves)
        return None
    if key in SAME_VALUE:
        return None if value is None else {SAME_VALUE[key]: value}
    hashable = tuple(value) if isinstance(value, list) else value
    return None if isinstance(hashable, Mapping) else KNOWN_VALUES.get(key, {}).get(hashable)


def _input_size(shape: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    is_rgb = isinstance(shape, list) and len(shape) == 3 and shape[0] == 3
    return {"module.input_size": shape[1:]} if is_rgb else None


def _weights_file(path: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not isinstance(path, str):
        return None
    return {"module.weights": path if Path(path).suffix else f"{path}.pdparams"}


def _list_file(argument: str) -> Computed:
    def relative(path: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
        root = leaves.get(f"{_TRAIN}.image_root")
        return {f"dataset.{argument}": os.path.relpath(path, root)} if root and path else None

    return relative


def _same_root(root: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {} if root == leaves.get(f"{_TRAIN}.image_root") else None


def _schedule(name: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    epochs, rates = (leaves.get(f"Optimizer.lr.{key}") for key in ("decay_epochs", "values"))
    lowest, highest = (leaves.get(f"Optimizer.lr.{key}") for key in ("eta_min", "learning_rate"))
    if name == "Piecewise" and epochs and rates:
        factors = [rate / rates[0] for rate in rates]
        options = {"name": "piecewise", "epochs": epochs, "factors": factors}
        return {"strategy.schedule": options, "strategy.learning_rate": rates[0]}
    if name == "Cosine" and lowest and highest:
        return {"strategy.schedule": {"name": "cosine", "end_factor": lowest / highest}}
    plain_names = {"Constant": "constant", "Cosine": "cosine", "Linear": "linear"}
    return {"strategy.schedule": plain_names[name]} if name in plain_names else None


def _of_schedule(name: str) -> Computed:
    """A key that `_schedule` has read, if the schedule is the one that it belongs to."""
    return lambda value, leaves: {} if leaves.get("Optimizer.lr.name") == name else None


def _regularizer(coefficient: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    name = leaves.get("Optimizer.regularizer.name")
    return {f"strategy.regularization.{name}": coefficient} if name in ("L1", "L2") else None


_COMPUTED: Mapping[str, Computed] = {
    f"{_EVAL}.cls_label_path": _list_file("validate_list_file"),
    f"{_EVAL}.image_root": _same_root,
    f"{_TRAIN}.cls_label_path": _list_file("train_list_file"),
    f"{_TRAIN}.transform_ops.RandCropImage.size": lambda size, leaves: {
        "pipeline.augmentation.min_area": _LEAST_AREA
    },
    "Global.image_shape": _input_size,
    "Global.pretrained_model": _weights_file,
    "Optimizer.lr.decay_epochs": _of_schedule("Piecewise"),
    "Optimizer.lr.eta_min": _of_schedule("Cosine"),
    "Optimizer.lr.name": _schedule,
    "Optimizer.lr.values": _of_schedule("Piecewise"),
    "Optimizer.regularizer.coeff": _regularizer,
}


def _nested(targets: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as sections, in the order of a config."""
    sections: dict[str, Any] = {
        name: {} for name in ("module", "dataset", "pipeline", "strategy", "run", "task")
    }
    for key, value in targets.items():
        *parents, last = key.split(".")
        place = sections
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return {name: section for name, section in sections.items() if section}
