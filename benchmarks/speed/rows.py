"""What a table of docs/benchmarks.md is made of: rows, goals, and which rows have bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Kind = Literal["faster", "reaches", "flat"]

# What follows the name of a row in bfloat16.
HALF = ", bfloat16"
# What Linux calls a processor's instructions for it: x86's vectors and tiles, ARM's.
INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


@dataclass(frozen=True)
class Contestant:
    """One row of a task.

    Attributes:
        name: as the table has it.
        script: the file of rivals/ that does it.
        does: the script's task.
        setting: the row's words on how it is run.
        environment: "tensorflow" (hubcls' own too) or "torch".
        settings: what the script reads beyond the task's.
        overlay: a package that this row finds and others of its environment do not.
        keeps_home: finds what the row before it left in hubcls' home folder.
        is_slow: takes minutes: it has one turn alone, and none in a quick run.
    """

    name: str
    script: str
    does: str
    setting: str
    environment: str = "tensorflow"
    settings: Mapping[str, Any] = field(default_factory=dict)
    overlay: str | None = None
    keeps_home: bool = False
    is_slow: bool = False


@dataclass(frozen=True)
class Goal:
    """What one row should come to against others.

    Attributes:
        words: the issue's own.
        ours: the row's name.
        rivals: names; the best of them counts.
        bound: least ratio, or for "flat" the most megabytes of difference.
        kind: "faster" compares the figures; "reaches" takes the time at which ours has the
            rival's accuracy; "flat" takes the difference.
    """

    words: str
    ours: str
    rivals: tuple[str, ...]
    bound: float
    kind: Kind = "faster"


@dataclass(frozen=True)
class Task:
    """A table and its goals.

    Attributes:
        key: "T1", or "T4b" for the second table of T4.
        title: what is done.
        unit: "s", "ms", "MB" (less is better) or "images/s".
        figure: which of a measurement's figures is the row's.
        rounds: how often all contestants take turns.
        contestants: in the order of their turns.
        goals: none for a table that only informs.
        settings: what all scripts read.
        num_scored: images that the rows' accuracies are of; 0 where speed may cost accuracy.
    """

    key: str
    title: str
    unit: str
    contestants: tuple[Contestant, ...]
    goals: tuple[Goal, ...]
    rounds: int = 2
    figure: str = "value"
    settings: Mapping[str, Any] = field(default_factory=dict)
    num_scored: int = 0


def in_bfloat16(contestant: Contestant) -> Contestant:
    """The same row in mixed bfloat16."""
    return replace(
        contestant,
        name=contestant.name + HALF,
        setting="the same",
        settings={**contestant.settings, "bfloat16": True},
    )


def without_bfloat16(task: Task) -> Task:
    """The same task, for a processor that has no instructions for bfloat16."""
    return _without(task, lambda row: row.name.endswith(HALF))


def in_short(task: Task) -> Task:
    """The same task without its slow rows and those in bfloat16, which double it."""
    return _without(task, lambda row: row.is_slow or row.name.endswith(HALF))


def _without(task: Task, is_left_out: Callable[[Contestant], bool]) -> Task:
    gone = {row.name for row in task.contestants if is_left_out(row)}
    goals = [
        replace(goal, rivals=tuple(name for name in goal.rivals if name not in gone))
        for goal in task.goals
        if goal.ours not in gone
    ]
    return replace(
        task,
        contestants=tuple(row for row in task.contestants if row.name not in gone),
        goals=tuple(goal for goal in goals if goal.rivals),
    )


def computes_in_bfloat16(facts: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16; without any it is emulated.

    Where the system does not tell, rows in bfloat16 are measured.
    """
    if not facts.is_file():
        return True
    first = facts.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    flags = [line.partition(":")[2] for line in first if line.startswith(("flags", "Features"))]
    return bool(INSTRUCTIONS & set(" ".join(flags).split()))
