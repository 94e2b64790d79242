"""A PaddleClas configuration as one of ours, and a list of what has no counterpart."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hubcls.config.building import Config, read_config
from hubcls.config.paddleclas_architecture import architecture_part
from hubcls.config.paddleclas_augmentation import augmentation_part
from hubcls.config.paddleclas_keys import EMPTY, KNOWN_VALUES, NOT_NEEDED, SAME_VALUE
from hubcls.config.paddleclas_parts import Part, leaves_of
from hubcls.config.paddleclas_training import decay_part, precision_part, schedule_part
from hubcls.config.reading import change, read_file
from hubcls.datasets.base import DatasetInfo
from hubcls.errors import ConfigError
from hubcls.typed_yaml import Reader, compose, dump

_TRAIN, _EVAL = "DataLoader.Train.dataset", "DataLoader.Eval.dataset"
# What PaddleClas does where its configuration says nothing.
_BEFORE: Mapping[str, Any] = {
    "strategy.name": "scheduled",
    "strategy.schedule": "constant",
}
# What has to be read as a whole: who reads it, and below which keys.
_PARTS: tuple[tuple[Callable[[Mapping[str, Any]], Part], tuple[str, ...]], ...] = (
    (architecture_part, ("Arch", "Loss.Train")),
    (augmentation_part, (f"{_TRAIN}.transform_ops", f"{_TRAIN}.batch_transform_ops")),
    (
        decay_part,
        ("Optimizer.regularizer", "Optimizer.weight_decay", "Optimizer.no_weight_decay_name"),
    ),
    (precision_part, ("AMP",)),
    (schedule_part, ("Optimizer.lr",)),
)

Computed: TypeAlias = Callable[[Any, Mapping[str, Any]], Mapping[str, Any] | None]


@dataclass(frozen=True)
class Conversion:
    """What became of a PaddleClas configuration.

    Attributes:
        values: our sections.
        not_mapped: "key: value" of everything that they leave out.
        not_needed: PaddleClas key → why nothing stands for it.
        problems: why `hubcls train` would refuse the values, the data set and files of
            weights apart.
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
    tree = _tree(path)
    leaves = leaves_of(tree)
    if "Arch.name" not in leaves:
        raise ConfigError(
            f"{path} has no Arch.name; is it a training configuration of PaddleClas 2?"
        )
    targets = dict(_BEFORE)
    not_mapped: list[str] = []
    not_needed: dict[str, str] = {}
    parts = [_read(read, below, tree) for read, below in _PARTS]
    for part in parts:
        targets.update(part.targets)
        not_needed.update(part.not_needed)
    for key, value in _left_over(leaves, parts).items():
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


def _read(read: Callable[[Mapping[str, Any]], Part], below: Iterable[str], tree: Any) -> Part:
    """A part; all that stands below its keys is left over where the values are of wrong types."""
    try:
        return read(tree)
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        keys = tuple(f"{prefix}." for prefix in below)
        return Part({}, {k: v for k, v in leaves_of(tree).items() if f"{k}.".startswith(keys)}, {})


def _tree(path: Path) -> Mapping[str, Any]:
    reader = Reader()
    try:
        # PaddleClas' own files repeat values by anchors, which a config of ours may not.
        tree = reader.convert(read_file(path, compose), Mapping[str, Any], "the configuration")
    except RecursionError:
        raise ConfigError(f"{path}: an alias stands within its own anchor") from None
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    found: Mapping[str, Any] = tree
    return found


def _left_over(leaves: Mapping[str, Any], parts: list[Part]) -> dict[str, Any]:
    """The keys that no part has read, and those that it could make nothing of."""
    prefixes = [f"{prefix}." for _, below in _PARTS for prefix in below]
    found = {
        key: value
        for key, value in leaves.items()
        if not any(f"{key}.".startswith(prefix) for prefix in prefixes)
    }
    for part in parts:
        found.update(part.not_mapped)
    return found


def _problems(values: Mapping[str, Any]) -> tuple[str, ...]:
    # Images and weights are opened nowhere yet: they may be on another machine.
    sections = {name: _without_files(value) for name, value in values.items() if name != "dataset"}
    try:
        config = read_config(
            None, [change((name,), value, name) for name, value in sections.items()]
        )
        _check_normalisation(config)
    except ConfigError as error:
        return tuple(str(error).splitlines())
    return ()


def _without_files(value: Any) -> Any:
    """The same with no weights where a file has them."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: None if key == "weights" and Path(str(item)).suffix else _without_files(item)
        for key, item in value.items()
    }


def _check_normalisation(config: Config) -> None:
    """Refuse a mean and deviation that are not the module's, as the task would.

    Raises:
        ConfigError: they differ.
    """
    call = config.calls["pipeline"]
    if config.module is not None:
        reader = call.constructor(**call.arguments)
        reader.preprocessing(config.module.preprocessing, DatasetInfo("any", ("one", "two")))


def _reason(key: str, value: Any) -> str:
    """Why a key needs nothing here; "" when it does."""
    if key in EMPTY and EMPTY[key] == value and type(EMPTY[key]) is type(value):
        return "as by default"
    if key in SAME_VALUE or key in KNOWN_VALUES or key in _COMPUTED:
        return ""
    return next((why for form, why in NOT_NEEDED.items() if fnmatch.fnmatchcase(key, form)), "")


def _targets(key: str, value: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a key sets here; None when it has no counterpart."""
    if key in SAME_VALUE:
        return None if value is None else {SAME_VALUE[key]: value}
    # Values of another type than PaddleClas itself would take have no counterpart.
    with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
        if key in _COMPUTED:
            return _COMPUTED[key](value, leaves)
        hashable = tuple(value) if isinstance(value, list) else value
        return KNOWN_VALUES.get(key, {}).get(hashable)
    return None


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


def _average(decay: Any, leaves: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {"run.ema": decay} if leaves.get("Global.ema.enable", True) else {}


_COMPUTED: Mapping[str, Computed] = {
    f"{_EVAL}.cls_label_path": _list_file("validate_list_file"),
    f"{_EVAL}.image_root": _same_root,
    f"{_TRAIN}.cls_label_path": _list_file("train_list_file"),
    "Global.ema.decay": _average,
    "Global.image_shape": _input_size,
    "Global.pretrained_model": _weights_file,
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
