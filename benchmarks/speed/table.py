"""What the measurements come to, as the text of docs/benchmarks.md."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speed.rows import Contestant, Goal, Task

Figures = Mapping[str, Any]
# Rounds of each row of a task, by the row's name.
Rows = Mapping[str, Sequence[Figures]]

# Share of images about which two classifiers of equal accuracy disagree, for what is chance.
DISAGREEMENT = 1 / 16
LESS_IS_BETTER = {"s", "ms", "MB"}
DIGITS = {"s": 1, "ms": 1, "MB": 0, "images/s": 1}


@dataclass(frozen=True)
class Verdict:
    """Whether a goal is met.

    Attributes:
        goal: the goal.
        reached: the ratio, or the difference of a "flat" goal; None where it cannot be had.
        words: of the table.
        is_fair: False for a speed that costs accuracy, which meets no goal.
    """

    goal: Goal
    reached: float | None
    words: str
    is_fair: bool = True

    @property
    def is_met(self) -> bool:
        """Whether the figure is on the right side of the bound."""
        if self.reached is None or not self.is_fair:
            return False
        if self.goal.kind == "flat":
            return abs(self.reached) <= self.goal.bound
        return self.reached >= self.goal.bound


def page(results: Mapping[str, Rows], tasks: Sequence[Task], facts: str) -> str:
    """All tables: the goals of all tasks first, then each task's rows.

    Args:
        results: rows by the task's key; tasks that are not in it are left out.
        tasks: in the page's order.
        facts: where it was measured.
    """
    done = [task for task in tasks if task.key in results]
    return "\n".join(
        [
            facts,
            "",
            *goals_table(results, done),
            *(line for task in done for line in task_table(task, results[task.key])),
        ]
    )


def goals_table(results: Mapping[str, Rows], tasks: Sequence[Task]) -> list[str]:
    """One line a goal."""
    lines = ["| task | goal | measured | |", "|---|---|---|---|"]
    for task in tasks:
        for goal in task.goals:
            verdict = judged(task, goal, results[task.key])
            met = "met" if verdict.is_met else "**missed**"
            lines.append(f"| {task.key} | {goal.words} | {verdict.words} | {met} |")
    return lines


def task_table(task: Task, rows: Rows) -> list[str]:
    """A heading and one line a contestant."""
    rounds = max((len(figures) for figures in rows.values()), default=0)
    often = "one round" if rounds == 1 else f"median (least–most) of {rounds} rounds"
    lines = [
        "",
        f"**{task.key}: {task.title}**",
        "",
        f"| | {task.unit}, {often} | accuracy | how |",
        "|---|---|---|---|",
    ]
    lines += [row_line(task, each, rows[each.name]) for each in task.contestants]
    return lines


def row_line(task: Task, contestant: Contestant, rounds: Sequence[Figures]) -> str:
    """A contestant's medians, or why there are none."""
    values = values_of(task, rounds)
    failed = [figures["failed"] for figures in rounds if "failed" in figures]
    shown = spread(values, DIGITS[task.unit]) if values else ""
    shown += " (one turn)" if contestant.is_slow and values else ""
    if failed:
        reason = failed[0].replace("|", "/").replace("\n", " ")
        shown = " ".join(filter(None, [shown, f"failed {len(failed)}×: {reason}"]))
    accuracy = accuracy_of(rounds)
    known = "" if accuracy is None else f"{accuracy:.3f}"
    told = [
        f"; in round {number}: {figures['told']}"
        for number, figures in enumerate(rounds, 1)
        if "told" in figures
    ]
    how = "".join([contestant.setting, *told[:1]])
    return f"| {contestant.name} | {shown} | {known} | {how} |"


def judged(task: Task, goal: Goal, rows: Rows) -> Verdict:
    """The figure of a goal: against the best rival, or why there is none."""
    ours = rows[goal.ours]
    if not values_of(task, ours):
        return Verdict(goal, None, f"{goal.ours} failed")
    rivals = [name for name in goal.rivals if values_of(task, rows[name])]
    if not rivals:
        return Verdict(goal, None, "every rival failed")
    if goal.kind == "flat":
        growth = median_of(task, ours) - median_of(task, rows[rivals[0]])
        return Verdict(goal, growth, f"{growth:+,.0f} MB")
    mine = {name: own_figure(task, goal, ours, rows[name]) for name in rivals}
    never = [name for name, figure in mine.items() if figure is None]
    rivals = [name for name in rivals if name not in never]
    if not rivals:
        return Verdict(goal, None, f"never as accurate as {', '.join(never)}")
    better = more_accurate(task, ours, {name: rows[name] for name in rivals})
    theirs = {name: median_of(task, rows[name]) for name in rivals}
    ratios = {name: ratio(task, mine[name], theirs[name]) for name in rivals}
    against, least = min(ratios.items(), key=lambda item: item[1])
    digits = DIGITS[task.unit]
    figures = f"{mine[against]:,.{digits}f} {task.unit} against {theirs[against]:,.{digits}f}"
    lost = [name for name in goal.rivals if not values_of(task, rows[name])]
    note = f"; without {', '.join(lost)}, which failed" if lost else ""
    note += f"; less accurate than {', '.join(better)}" if better else ""
    note += f"; never as accurate as {', '.join(never)}" if never else ""
    words = f"{least:.2f}× ({against}: {figures}{note})"
    return Verdict(goal, least, words, not better and not never)


def more_accurate(task: Task, ours: Sequence[Figures], rivals: Rows) -> list[str]:
    """The rivals that are more accurate than we are, chance apart, where speed may not cost it."""
    mine = accuracy_of(ours)
    if mine is None or not task.num_scored:
        return []
    told = {name: accuracy_of(rounds) for name, rounds in rivals.items()}
    return [name for name, their in told.items() if (their or 0.0) > mine + chance(task)]


def chance(task: Task) -> float:
    """The standard error of the difference of two accuracies on the task's images."""
    return math.sqrt(DISAGREEMENT / task.num_scored) if task.num_scored else 0.0


def own_figure(
    task: Task, goal: Goal, ours: Sequence[Figures], rival: Sequence[Figures]
) -> float | None:
    """Our median; for "reaches" of the times to the rival's accuracy, None if it never comes."""
    if goal.kind != "reaches":
        return median_of(task, ours)
    target = accuracy_of(rival)
    if target is None:
        raise ValueError(f"{task.key}: {goal.rivals} tell no accuracy to be reached")
    least = target - chance(task)
    reached = [time_to(figures["stamps"], least) for figures in ours if "stamps" in figures]
    times = [seconds for seconds in reached if seconds is not None]
    return statistics.median(times) if len(times) == len(reached) else None


def ratio(task: Task, mine: float, theirs: float) -> float:
    """How many times better our figure is."""
    return theirs / mine if task.unit in LESS_IS_BETTER else mine / theirs


def time_to(stamps: Sequence[Sequence[float]], least: float) -> float | None:
    """Seconds at the first evaluation with that accuracy."""
    return next((at for at, accuracy in stamps if accuracy >= least), None)


def values_of(task: Task, rounds: Sequence[Figures]) -> list[float]:
    """The task's figure of every round that did not fail."""
    return [figures[task.figure] for figures in rounds if "failed" not in figures]


def median_of(task: Task, rounds: Sequence[Figures]) -> float:
    """Of the task's figure."""
    return statistics.median(values_of(task, rounds))


def accuracy_of(rounds: Sequence[Figures]) -> float | None:
    """The median accuracy of the rounds that tell one."""
    known = [figures.get("accuracy") for figures in rounds]
    told = [accuracy for accuracy in known if accuracy is not None]
    return statistics.median(told) if told else None


def spread(values: Sequence[float], digits: int) -> str:
    """Median with least and most."""
    words = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return words
    return f"{words} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"
