"""A task's parts as the sections of a config, for whoever wants to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from hubcls.datasets.base import Dataset
from hubcls.datasets.opening import opened_as
from hubcls.errors import ConfigError
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.strategies.base import FinetuneStrategy
from hubcls.tasks.hooked import HookedTask
from hubcls.typed_yaml import plain

# The arguments of a section, or why no config can hold them.
Section: TypeAlias = dict[str, Any] | str


def module_section(module: Module | None) -> Section:
    """The call of a module; None is a network that a script gave as `feature`."""
    if module is None:
        return "the network was given as feature=..., layers that a script built"
    if not _is_ours(module):
        return _made_in_python(module)
    return _plain(module.as_dict())


def dataset_section(dataset: Dataset) -> Section:
    """What opens a data set again, and which of its training examples are used."""
    try:
        opened = opened_as(dataset)
    except ConfigError as error:
        return str(error)
    count, seed = dataset.chosen_train_examples or (None, None)
    return {**opened, "train_examples": count, "train_seed": seed}


def pipeline_section(reader: ImageClassificationReader | None) -> Section:
    """The call of a reader; None is one without wishes."""
    reader = reader or ImageClassificationReader()
    return _plain(reader.arguments()) if _is_ours(reader) else _made_in_python(reader)


def strategy_section(strategy: FinetuneStrategy) -> Section:
    """The call of a strategy."""
    return strategy.describe() if _is_ours(strategy) else _made_in_python(strategy)


def task_section(task: HookedTask, arguments: Mapping[str, Any]) -> Section:
    """The call of a task, less what other sections hold."""
    if task.has_own_hooks:
        return "a script changed the hooks of the task"
    if not _is_ours(task):
        return _made_in_python(task)
    described = _plain(arguments)
    return described if isinstance(described, str) else {"name": type(task).__name__, **described}


def as_config(sections: Mapping[str, Section], facts: Mapping[str, Any]) -> dict[str, Any]:
    """A config of the sections that can be described; the reasons for the others beside them."""
    reasons = {name: section for name, section in sections.items() if isinstance(section, str)}
    return {
        **{name: section for name, section in sections.items() if name not in reasons},
        **({"not_repeatable": reasons} if reasons else {}),
        "facts": dict(facts),
    }


def _is_ours(part: object) -> bool:
    return type(part).__module__.startswith("hubcls.")


def _made_in_python(part: object) -> str:
    return f"it is a {type(part).__qualname__}, a class of a script's own"


def _plain(arguments: Mapping[str, Any]) -> Section:
    found = {}
    for name, value in arguments.items():
        try:
            found[name] = plain(value)
        except TypeError as error:
            return f"{name} is {error}, which a script made"
    return found
