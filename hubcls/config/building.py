"""From a config to a task: every section's constructor is called once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubcls.config.checking import SectionCall, check_sections, reasons
from hubcls.config.reading import Change, read_tree
from hubcls.datasets.base import Dataset
from hubcls.datasets.opening import open_dataset
from hubcls.errors import ConfigError
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.training.run_config import RunConfig
from hubcls.typed_yaml import FAILED, Reader, place_of


@dataclass(frozen=True)
class Config:
    """A config in which everything is right that can be known without opening the data.

    Attributes:
        calls: section → the call that it stands for.
        left_out: section that the run could not describe → why.
        run: how the run is done, strategy included.
        module: None where it is left out.
    """

    calls: Mapping[str, SectionCall]
    left_out: Mapping[str, str]
    run: RunConfig
    module: Module | None

    def values(self) -> dict[str, Any]:
        """Every argument of every section with its effective value, as plain values."""
        return {section: call.values() for section, call in self.calls.items()}

    def open_dataset(self) -> Dataset:
        """The data set, opened.

        Raises:
            ConfigError: the config names none, or its class refuses an argument.
            DataError: the data set is wrong.
        """
        self._refuse_left_out(["dataset"])
        if "dataset" not in self.calls:
            raise ConfigError(
                "no data set: add --dataset NAME_OR_FOLDER, or a section dataset: with a name.\n"
                "  List them all with: hubcls datasets list"
            )
        call = self.calls["dataset"]
        arguments = dict(call.arguments)
        count, seed = arguments.pop("train_examples", None), arguments.pop("train_seed", None)
        try:
            dataset = open_dataset(str(call.name), **arguments)
            if count is None:
                return dataset
            return dataset.with_train_examples(count, seed=self.run.seed if seed is None else seed)
        except ConfigError as error:
            raise ConfigError(f"{place_of(call.node)}dataset: {error}") from None

    def reader(self, dataset: Dataset) -> ImageClassificationReader:
        """How the images of a data set are read.

        Raises:
            ConfigError: the run could not describe its reader.
        """
        self._refuse_left_out(["pipeline"])
        pipeline = self.calls["pipeline"]
        reader: ImageClassificationReader = pipeline.constructor(
            dataset=dataset, **pipeline.arguments
        )
        return reader

    def build_task(self) -> ImageClassifierTask:
        """The task that the config describes.

        Raises:
            ConfigError: parts do not go together, or the run could not describe one.
            DataError: the data set is wrong.
        """
        self._refuse_left_out(self.left_out)
        task, dataset = self.calls["task"], self.open_dataset()
        role = "student" if "teacher" in task.parameters.named else "module"
        parts = {
            role: self.module,
            "dataset": dataset,
            "config": self.run,
            "data_reader": self.reader(dataset),
        }
        try:
            built: ImageClassifierTask = task.constructor(**parts, **task.arguments)
        except ConfigError as error:
            raise ConfigError(f"{place_of(task.node)}task: {error}") from None
        return built

    def _refuse_left_out(self, sections: Iterable[str]) -> None:
        found = [f"{name}: {self.left_out[name]}" for name in sections if name in self.left_out]
        if found:
            raise ConfigError(
                "this config was written by a run that no file can repeat:\n  "
                + "\n  ".join(found)
                + "\n  Repeat it with the script that made it, or add these sections."
            )


def read_config(path: Path | None = None, changes: Iterable[Change] = ()) -> Config:
    """A config from a file and the changes to it.

    Args:
        path: a YAML file; None has all defaults.
        changes: from flags and `-o section.key=value`; later ones win.

    Raises:
        ConfigError: lists everything that is wrong, each with its line or flag.
    """
    tree = read_tree(path, changes)
    reader = Reader()
    calls = check_sections(tree, reader)
    made = {
        section: reader.made(call.node, call.constructor, call.arguments, section)
        for section, call in calls.items()
        if section in ("module", "pipeline", "strategy")
    }
    run = FAILED
    if "run" in calls:
        run = _run(calls["run"], made.get("strategy", FAILED), reader)
    if reader.problems:
        raise ConfigError(_listed(reader.problems))
    return Config(calls, reasons(tree), run, made.get("module"))


def _run(call: SectionCall, strategy: Any, reader: Reader) -> Any:
    given = {} if strategy is FAILED else {"strategy": strategy}
    return reader.made(call.node, call.constructor, {**call.arguments, **given}, "run")


def _listed(problems: list[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    lines = (problem.replace("\n", "\n  ") for problem in problems)
    return f"{len(problems)} things are wrong:\n  " + "\n  ".join(lines)
