"""CombinedStrategy's tree of options: defaults, checks and conflicts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.strategies.optimizers import implied_weight_decay
from hubcls.strategies.rules import Clip, Regularization

Options = dict[str, Any]

SCHEDULER: Options = {
    "warmup": 0.0,
    "linear_decay": {"start_point": 1.0, "end_learning_rate": 0.0},
    "noam_decay": False,
    "discriminative": {"blocks": 0, "params_layer": None, "factor": 2.6},
    "gradual_unfreeze": {"blocks": 0, "params_layer": None},
    "slanted_triangle": {"cut_fraction": 0.0, "ratio": 32},
}
REGULARIZATION: Options = {"L1": 0.0, "L2": 0.0, "L2SP": 0.0, "weight_decay": 0.0}
CLIP: Options = {"GlobalNorm": 0.0, "Norm": 0.0}


def merged(kind: str, current: Options, changes: Mapping[str, Any] | None) -> Options:
    """A copy of `current` with some options changed.

    Args:
        kind: "scheduler", "regularization" or "clip", for messages.
        current: a full tree.
        changes: a part of such a tree.

    Raises:
        UnknownNameError: an option is in no tree.
        ConfigError: a value has the wrong type.
    """
    result = copy.deepcopy(current)
    for key, value in (changes or {}).items():
        if key not in result:
            raise UnknownNameError(kind, str(key), result)
        is_branch = isinstance(result[key], dict) and key != "params_layer"
        if is_branch and isinstance(value, Mapping):
            result[key] = merged(f"option of {key}", result[key], value)
        else:
            result[key] = _checked(key, value, result[key])
    return result


def check(scheduler: Options, regularization: Options, clip: Options) -> None:
    """Refuse values out of range and options that contradict each other.

    PaddleHub warns and drops one of two contradicting options; which one depends.

    Raises:
        ConfigError: lists everything that is wrong.
    """
    wrong = [*_out_of_range(scheduler), *_conflicts(scheduler, clip)]
    for kind, tree in (("regularization", regularization), ("clip", clip)):
        wrong += [
            f"{kind} {name} must be 0 or more, not {tree[name]}" for name in tree if tree[name] < 0
        ]
    if wrong:
        raise ConfigError("the strategy's options are wrong:\n  " + "\n  ".join(wrong))


def as_regularization(tree: Options, optimizer_name: str) -> Regularization:
    """A full tree as a value; the decay that the optimizer's name implies stands in for none."""
    return Regularization(
        l1=tree["L1"],
        l2=tree["L2"],
        l2sp=tree["L2SP"],
        weight_decay=tree["weight_decay"] or implied_weight_decay(optimizer_name),
    )


def as_clip(tree: Options) -> Clip | None:
    """A full tree as a value; None clips nothing."""
    if tree["GlobalNorm"]:
        return Clip("global_norm", tree["GlobalNorm"])
    return Clip("norm", tree["Norm"]) if tree["Norm"] else None


def _checked(key: str, value: Any, default: Any) -> Any:
    if key == "params_layer":
        wanted = "a mapping of names to blocks"
        is_right = value is None or isinstance(value, Mapping)
    elif isinstance(default, dict):
        wanted, is_right = f"a mapping with the keys {', '.join(default)}", False
    elif isinstance(default, bool):
        wanted, is_right = "True or False", isinstance(value, bool)
    else:
        is_whole = key == "blocks"
        wanted = "a whole number" if is_whole else "a number"
        is_right = isinstance(value, int if is_whole else (int, float))
        is_right = is_right and not isinstance(value, bool)
    if not is_right:
        raise ConfigError(f"{key} must be {wanted}, not {value!r}")
    return value


def _out_of_range(scheduler: Options) -> list[str]:
    decay, discriminative = scheduler["linear_decay"], scheduler["discriminative"]
    triangle = scheduler["slanted_triangle"]
    checks = [
        ("warmup", scheduler["warmup"], "in [0, 1)", 0 <= scheduler["warmup"] < 1),
        ("start_point", decay["start_point"], "in [0, 1]", 0 <= decay["start_point"] <= 1),
        (
            "end_learning_rate",
            decay["end_learning_rate"],
            "0 or more",
            decay["end_learning_rate"] >= 0,
        ),
        ("factor", discriminative["factor"], "above 0", discriminative["factor"] > 0),
        (
            "cut_fraction",
            triangle["cut_fraction"],
            "in [0, 1)",
            0 <= triangle["cut_fraction"] < 1,
        ),
        ("ratio", triangle["ratio"], "1 or more", triangle["ratio"] >= 1),
    ]
    checks += [
        (f"{part} blocks", scheduler[part]["blocks"], "0 or more", scheduler[part]["blocks"] >= 0)
        for part in ("discriminative", "gradual_unfreeze")
    ]
    return [f"{name} must be {wanted}, not {value}" for name, value, wanted, ok in checks if not ok]


def _conflicts(scheduler: Options, clip: Options) -> list[str]:
    has_warmup, has_noam = bool(scheduler["warmup"]), scheduler["noam_decay"]
    has_linear = scheduler["linear_decay"]["start_point"] < 1
    wrong = []
    if scheduler["slanted_triangle"]["cut_fraction"] and (has_warmup or has_noam or has_linear):
        wrong.append(
            "slanted_triangle is a whole schedule; leave out warmup, noam_decay and linear_decay"
        )
    if has_noam and has_linear:
        wrong.append("noam_decay and linear_decay both say how the rate falls; choose one")
    if has_noam and not has_warmup:
        wrong.append("noam_decay is measured by the warm-up; give warmup a value above 0")
    for part in ("discriminative", "gradual_unfreeze"):
        if scheduler[part]["blocks"] and scheduler[part]["params_layer"]:
            wrong.append(f"{part} takes blocks or params_layer, not both")
    if clip["GlobalNorm"] and clip["Norm"]:
        wrong.append("clip takes GlobalNorm or Norm, not both")
    return wrong
