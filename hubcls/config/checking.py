"""From a tree of sections to calls: whom each section calls, with which arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hubcls.config.reading import is_null, named, value_in
from hubcls.config.tables import (
    DEFAULT_MODULE,
    DEFAULT_STRATEGY,
    DEFAULT_TASK,
    SHORT_STRATEGIES,
    SHORT_TASKS,
    STRATEGIES,
    TASKS,
)
from hubcls.datasets import opening
from hubcls.errors import ConfigError, nearest_names
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.registry import Table
from hubcls.training.run_config import RunConfig
from hubcls.typed_yaml import FAILED, Parameter, Parameters, Reader, parameters_of, plain

SECTIONS = ("module", "dataset", "pipeline", "strategy", "run", "task")
# What a run writes beside its sections: `-c` passes over the one and minds the other.
FACTS, NOT_REPEATABLE = "facts", "not_repeatable"
# Arguments that other sections give, and PaddleHub's, which no file can hold.
_GIVEN_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "pipeline": ("dataset",),
    "run": ("strategy",),
    "task": (
        *("module", "student", "dataset", "config", "data_reader"),
        *("feature", "feed_list", "num_classes"),
    ),
}
_SUBSET = {
    "train_examples": Parameter(int | None, None),
    "train_seed": Parameter(int | None, None),
}


@dataclass(frozen=True)
class SectionCall:
    """A section as the call that it stands for.

    Attributes:
        constructor: what is called.
        parameters: all that it takes from this section.
        arguments: what the section gives it, by name.
        node: where the section stands.
        name: the entry of a table, where there is one.
    """

    constructor: Callable[..., Any]
    parameters: Parameters
    arguments: Mapping[str, Any]
    node: yaml.Node
    name: str | None = None

    def values(self) -> dict[str, Any]:
        """Every argument with its effective value, as plain values."""
        defaults = {name: item.default for name, item in self.parameters.named.items()}
        entry = {} if self.name is None else {"name": self.name}
        return {**entry, **plain({**defaults, **self.arguments})}


def check_sections(tree: yaml.MappingNode, reader: Reader) -> dict[str, SectionCall]:
    """The call of every section whose arguments are right; problems stay in `reader`.

    A section that is not there is called with its defaults, but for the data set and what
    the run that wrote the file could not describe.
    """
    _check_names(tree, reader)
    left_out = reasons(tree)
    calls = {}
    for section in SECTIONS:
        node = value_in(tree, section)
        if node is None and (section == "dataset" or section in left_out):
            continue
        found = _call(section, _section_node(node), reader)
        if found is not FAILED:
            calls[section] = found
    return calls


def reasons(tree: yaml.MappingNode) -> dict[str, str]:
    """Section → why the run that wrote this file could not describe it, where none is there."""
    node = value_in(tree, NOT_REPEATABLE)
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: str(value.value)
        for key, value in node.value
        if value_in(tree, key.value) is None
    }


def _check_names(tree: yaml.MappingNode, reader: Reader) -> None:
    for node, name, _ in reader.pairs(tree, "the config"):
        if name not in (*SECTIONS, FACTS, NOT_REPEATABLE):
            near = ", ".join(nearest_names(name, SECTIONS) or SECTIONS)
            reader.fail(node, f"there is no section {name!r}; did you mean: {near}?")


def _section_node(node: yaml.Node | None) -> yaml.Node:
    if node is None or is_null(node):
        mark = None if node is None else node.start_mark
        return yaml.MappingNode("tag:yaml.org,2002:map", [], start_mark=mark)
    return node


def _call(section: str, node: yaml.Node, reader: Reader) -> Any:
    if isinstance(node, yaml.ScalarNode) and section not in ("pipeline", "run"):
        node = named(node)
    if not isinstance(node, yaml.MappingNode):
        return reader.fail(node, f"{section} must be a mapping of arguments")
    if section == "dataset":
        return _dataset_call(node, reader)
    if section == "strategy":
        return _table_call(section, node, reader, STRATEGIES, DEFAULT_STRATEGY)
    if section == "task":
        return _table_call(section, node, reader, TASKS, DEFAULT_TASK)
    if section == "module":
        found = _found(section, Module, node, reader)
        if found is not FAILED and not {"name", "directory", "handle"} & set(found.arguments):
            found.arguments["name"] = DEFAULT_MODULE
        return found
    constructors = {"pipeline": ImageClassificationReader, "run": RunConfig}
    return _found(section, constructors[section], node, reader)


def _table_call(
    section: str, node: yaml.MappingNode, reader: Reader, table: Table, default: str
) -> Any:
    name = _name(section, node, reader, default)
    if name is FAILED:
        return FAILED
    try:
        constructor = table[name]
    except ConfigError as error:
        return reader.fail(value_in(node, "name") or node, str(error))
    name = {**SHORT_STRATEGIES, **SHORT_TASKS}.get(name, name)
    return _found(section, constructor, _without_name(node), reader, name=name)


def _dataset_call(node: yaml.MappingNode, reader: Reader) -> Any:
    name = _name("dataset", node, reader, None)
    if name is FAILED:
        return FAILED
    try:
        call = opening.call_for(name)
    except ConfigError as error:
        return reader.fail(value_in(node, "name") or node, str(error))
    constructor: Callable[..., Any] = call.reader
    taken = parameters_of(constructor)
    places = list(taken.named)[: len(call.places)]
    parameters = Parameters(
        {
            key: item
            for key, item in {**taken.named, **_SUBSET}.items()
            if key not in (*places, "row")
        }
    )
    what = f"dataset ({call.reader.__name__})"
    given = reader.arguments(_without_name(node), parameters, what)
    if given is FAILED:
        return FAILED
    found = {key: value for key, value in call.arguments.items() if key in parameters.named}
    return SectionCall(call.reader, parameters, {**found, **given}, node, name)


def _found(
    section: str,
    constructor: type,
    node: yaml.MappingNode,
    reader: Reader,
    *,
    name: str | None = None,
) -> Any:
    parameters = parameters_of(constructor, _GIVEN_ELSEWHERE.get(section, ()))
    what = section if name is None else f"{section} ({name})"
    arguments = reader.arguments(node, parameters, what)
    if arguments is FAILED:
        return FAILED
    return SectionCall(constructor, parameters, arguments, node, name)


def _name(section: str, node: yaml.MappingNode, reader: Reader, default: str | None) -> Any:
    names = [pair for pair in node.value if pair[0].value == "name"]
    for key, _ in names[1:]:
        reader.fail(key, f"'name' stands twice in {section}")
    if names:
        return reader.convert(names[0][1], str, f"{section}.name")
    return default if default is not None else reader.fail(node, f"{section} lacks a name")


def _without_name(node: yaml.MappingNode) -> yaml.MappingNode:
    rest = [pair for pair in node.value if pair[0].value != "name"]
    return yaml.MappingNode(node.tag, rest, start_mark=node.start_mark)
