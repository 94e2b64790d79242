"""A run in words and plain values: for config.yaml, for resuming, and for the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubcls.images.augmenting import Augmentation
from hubcls.tasks.assembling import Assembly
from hubcls.tasks.ingredients import Head, Ingredients
from hubcls.tasks.repeating import Section, as_config, strategy_section
from hubcls.tasks.run_folder import versions
from hubcls.training.devices import describe_devices
from hubcls.training.run_config import RunConfig

# Settings that may change between a run and its continuation: they decide when something
# is shown, saved or ended, never what a step computes. (The batch counts as the global one.)
_FREE = (
    "batch_size",
    "checkpoint_dir",
    "distribution",
    "early_stopping",
    "enable_memory_optim",
    "eval_interval",
    "log_interval",
    "max_seconds",
    "memory_limit_mb",
    "mixed_precision",
    "num_epoch",
    "resume",
    "save_ckpt_interval",
    "steps_per_execution",
    "use_cuda",
    "use_data_parallel",
    "use_pyreader",
)


def identity(
    ingredients: Ingredients, assembly: Assembly, config: RunConfig, head: Head
) -> dict[str, Any]:
    """What makes a run this run, as plain JSON types."""
    return {
        "module": dict(ingredients.module),
        "classes": list(ingredients.problem.class_names),
        "training_data": assembly.stream.split.fingerprint(),
        "preprocessing": ingredients.preprocessing.as_dict(),
        "augmentation": _plain(ingredients.augmentation),
        "data_seed": ingredients.data_seed,
        "head": head.as_dict(),
        "lesson": None if ingredients.lesson is None else ingredients.lesson.as_dict(),
        "global_batch_size": assembly.stream.batch_size,
        "policy": assembly.policy,
        **{key: value for key, value in config.as_dict().items() if key not in _FREE},
    }


def config_values(
    ingredients: Ingredients, assembly: Assembly, config: RunConfig, task: Section
) -> dict[str, Any]:
    """The config that repeats a run, and the facts of it, as plain YAML types.

    Args:
        ingredients: module, data set and reader.
        assembly: what was made of them.
        config: how the run is done.
        task: the section of the task.
    """
    run = {key: value for key, value in config.as_dict().items() if key != "strategy"}
    # The folder's run goes on whatever the next one finds in its own.
    run |= {"num_epoch": assembly.progress.num_epoch, "resume": "auto"}
    run["mixed_precision"] = assembly.policy
    sections = {
        **ingredients.sections,
        "strategy": strategy_section(config.finetune_strategy),
        "run": run,
        "task": task,
    }
    return as_config(sections, _facts(ingredients, assembly))


def _facts(ingredients: Ingredients, assembly: Assembly) -> dict[str, Any]:
    info = ingredients.dataset.info
    return {
        "module": {**ingredients.module, "preprocessing": ingredients.preprocessing.as_dict()},
        "dataset": {
            "name": info.name,
            "source": info.source,
            "licence": info.licence,
            "num_examples": dict(info.num_examples),
            "class_names": list(info.class_names),
            "fingerprint": assembly.stream.split.fingerprint(),
        },
        "augmentation": _plain(ingredients.augmentation),
        "data_seed": assembly.stream.seed,
        "global_batch_size": assembly.stream.batch_size,
        "dtype_policy": assembly.policy,
        "versions": versions(),
    }


def run_line(assembly: Assembly, config: RunConfig) -> str:
    """Devices, precision, batch, length and strategy in one line."""
    replicas = assembly.devices.num_replicas_in_sync
    return (
        f"{describe_devices(assembly.devices)}, {assembly.policy}, "
        f"batch {assembly.stream.batch_size} ({config.batch_size} x {replicas}), "
        f"{assembly.progress.num_epoch} epoch(s) of {assembly.stream.steps_per_epoch} steps, "
        f"{config.finetune_strategy}"
    )


def finished_line(assembly: Assembly, config: RunConfig) -> str:
    """Say that a run found in its folder has nothing left to do."""
    best = assembly.progress.best
    score = ""
    if best is not None:
        name, value = next(iter(best.scores.items()))
        score = f"; best {name}={value:.4f} at step {best.step}"
    return (
        f"the run in {config.folder} is finished at step {assembly.progress.step}{score}. "
        "To train on, raise num_epoch; to start over, pass resume=False or another checkpoint_dir"
    )


def _plain(augmentation: Augmentation | None) -> dict[str, Any] | None:
    return None if augmentation is None else augmentation.as_dict()


def as_table(values: Mapping[str, Any]) -> str:
    """A nested mapping as Markdown tables, for TensorBoard's text page."""
    lines = []
    for section, content in values.items():
        rows = content.items() if isinstance(content, Mapping) else [("", content)]
        lines += [f"### {section}", "", "| key | value |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in rows] + [""]
    return "\n".join(lines)
