"""What the scripts of all contestants share: settings in, figures out, and a watch.

A script gets a JSON object as its argument, with "task" and whatever that task reads, and
prints a JSON object of figures as its last line. It knows one library; the command that
starts it knows none.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

Settings = Mapping[str, Any]
Figures = dict[str, Any]

SINGLE_WARM_UP, SINGLE_ROUNDS = 5, 25
# Batches that are nearly done when the first one comes would be had for nothing.
IN_FLIGHT = 2


def answer(tasks: Mapping[str, Callable[[Settings], Figures]], packages: Iterable[str]) -> None:
    """Do the task that the settings name, and print its figures and the versions."""
    settings = json.loads(sys.argv[1])
    figures = tasks[settings["task"]](settings)
    versions = {package: metadata.version(package) for package in packages}
    print("\n" + json.dumps({**figures, "versions": versions}), flush=True)


class Watch:
    """Seconds since it was made, and images a second between two marks."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._marks: list[tuple[float, int]] = []

    @property
    def seconds(self) -> float:
        """Since the watch was made."""
        return time.perf_counter() - self._began

    def mark(self, images: int) -> None:
        """So many images are done by now."""
        self._marks.append((self.seconds, images))

    def rate(self) -> float:
        """Images a second from the first mark to the last."""
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first)


def rates(batches: Callable[[int], Iterable[Any]], settings: Settings) -> Figures:
    """Images a second of each epoch, from its third batch to its last: T3.

    Args:
        batches: the batches of an epoch, by its number.
        settings: "epochs" and "batch_size".
    """
    found = []
    for epoch in range(settings["epochs"]):
        watch = Watch()
        for number, _ in enumerate(batches(epoch)):
            if number >= IN_FLIGHT:
                watch.mark(number * settings["batch_size"])
        found.append(watch.rate())
    later = statistics.median(found[1:]) if found[1:] else found[0]
    return {"value": later, "epochs": found}


def milliseconds(predict: Callable[[str], Any], settings: Settings) -> Figures:
    """Median time for one photograph, from its path to its class, in a warm process: T4."""
    paths = sorted(str(path) for path in Path(settings["folder"]).rglob("*.jpg"))
    spent = []
    for number in range(SINGLE_WARM_UP + SINGLE_ROUNDS):
        watch = Watch()
        predict(paths[number % len(paths)])
        spent.append(1000 * watch.seconds)
    return {"value": statistics.median(spent[SINGLE_WARM_UP:])}


def write_classes(path: str, images: Iterable[str], class_names: Iterable[str]) -> None:
    """A CSV of images and their classes, as `hubcls predict --csv` has it."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("source", "class_name"))
        writer.writerows(zip(images, class_names, strict=True))


def accuracy_of(path: str) -> float:
    """Share of a CSV's images whose class is their folder's name."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        right = [
            Path(row["source"]).parent.name == row["class_name"] for row in csv.DictReader(file)
        ]
    return sum(right) / len(right)
