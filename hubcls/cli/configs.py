"""Flags as changes to a config, so that `-c`, `-o` and flags end in one way to build a task."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubcls.cli.parsing import given
from hubcls.config.building import Config, read_config
from hubcls.config.reading import Change, change, override
from hubcls.errors import ConfigError

RUN_FLAGS = (
    "batch_size",
    "checkpoint_dir",
    "cached_views",
    "class_weights",
    "decoded_cache",
    "distribution",
    "early_stopping",
    "ema",
    "eval_interval",
    "freeze",
    "gradient_accumulation",
    "label_smoothing",
    "log_interval",
    "loss",
    "loss_scale",
    "max_seconds",
    "memory_limit_mb",
    "mixed_precision",
    "num_epoch",
    "resume",
    "save_ckpt_interval",
    "seed",
    "steps_per_execution",
    "sync_batch_norm",
    "use_cuda",
    "use_data_parallel",
)
# Flag → what it changes in the config. Names come first: they decide what the rest means.
KEYS: Mapping[str, tuple[str, ...]] = {
    "module": ("module", "name"),
    "weights": ("module", "weights"),
    "input_size": ("module", "input_size"),
    "dataset": ("dataset", "name"),
    "on_error": ("dataset", "on_error"),
    "train_examples": ("dataset", "train_examples"),
    "augmentation": ("pipeline", "data_augmentation"),
    "strategy": ("strategy", "name"),
    "learning_rate": ("strategy", "learning_rate"),
    "task": ("task", "name"),
    "hidden_units": ("task", "hidden_units"),
    "dropout": ("task", "dropout"),
    "metrics": ("task", "metrics_choices"),
    **{flag: ("run", flag) for flag in RUN_FLAGS},
}
# Attributes that are called otherwise than their flag.
_SPELLINGS = {"save_ckpt_interval": "save_interval", "use_cuda": "use_gpu"}


def config_of(arguments: argparse.Namespace) -> Config:
    """The config that a command line asks for: its file, then `-o`, then flags.

    Raises:
        ConfigError: lists everything that is wrong with it.
    """
    path = getattr(arguments, "config", None)
    overrides = _overrides(getattr(arguments, "override", []))
    return read_config(None if path is None else Path(path), [*overrides, *_flags(arguments)])


def _overrides(texts: list[str]) -> list[Change]:
    changes, problems = [], []
    for text in texts:
        try:
            changes.append(override(text))
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))
    return changes


def _flags(arguments: argparse.Namespace) -> list[Change]:
    return [
        change(KEYS[flag], _value(flag, value), f"--{_SPELLINGS.get(flag, flag)}".replace("_", "-"))
        for flag, value in given(arguments, KEYS).items()
    ]


def _value(flag: str, value: Any) -> Any:
    return None if flag == "weights" and value == "none" else value
