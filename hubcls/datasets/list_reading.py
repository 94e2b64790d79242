"""Lines of list files and label lists; every bad one is kept with its place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from hubcls.datasets.checking import Listing, OnError, file_stamp
from hubcls.errors import DataError
from hubcls.logs import logger

Label = int | tuple[int, ...]


class ListReader:
    """Reads several files and raises one error for all bad lines, in `class_names`.

    Attributes:
        missing: (path, reason) of every file that is not there, where those are excluded.
    """

    def __init__(self, base: Path, *, on_error: OnError) -> None:
        """Start with no lines read; image paths are relative to `base`."""
        self.base = base.expanduser().absolute()
        self.missing: list[tuple[str, str]] = []
        self._on_error = on_error
        self._problems: list[str] = []
        # Numbers and labels of the lines of each file.
        self._written: dict[Path, tuple[list[int], list[Label]]] = {}

    def read(self, file: Path, *, has_labels: bool) -> Listing:
        """The images of one list; blank lines are skipped, absolute paths are kept.

        Column by column: a million lines take seconds.
        """
        numbers, paths = self._lines(file)
        labels: list[Any] = [0] * len(paths)
        if has_labels:
            numbers, paths, labels = self._entries(file, numbers, paths)
            self._written[file] = (numbers, labels)
        base = f"{self.base}{os.sep}"
        # Half the time of os.path.join.
        paths = [path if os.path.isabs(path) else base + path for path in paths]  # noqa: PTH117
        stamps = [file_stamp(path) for path in paths]
        for place in [place for place, stamp in enumerate(stamps) if stamp is None]:
            paths[place], stamps[place] = self._find(f"{file}:{numbers[place]}", paths[place])
        return Listing(
            [path for path, stamp in zip(paths, stamps, strict=True) if stamp],
            [label for label, stamp in zip(labels, stamps, strict=True) if stamp],
            [stamp for stamp in stamps if stamp],
        )

    def has_labels(self, file: Path) -> bool:
        """Whether every line ends with a label."""
        return all(_fault(line) == "" for line in self._lines(file)[1])

    def read_names(self, file: Path) -> list[str]:
        """One class name a line; PaddleClas' "0 name" lines lose their numbers."""
        _, lines = self._lines(file)
        numbered = [re.fullmatch(rf"{number}\s+(.+)", line) for number, line in enumerate(lines)]
        if lines and all(numbered):
            return [found[1] for found in numbered if found]
        return lines

    def class_names(
        self, listings: Mapping[str, Listing], label_list: Sequence[str] | None
    ) -> tuple[str, ...]:
        """The class names: those given, or the numbers that occur in the listings.

        Raises:
            DataError: any line read so far was wrong; lists all of them.
        """
        distinct = {label for _, labels in self._written.values() for label in set(labels)}
        count = max(map(_classes_of, distinct), default=0)
        names = [str(number) for number in range(count)] if label_list is None else label_list
        wrong = {label: reason for label in distinct if (reason := self._misfit(label, len(names)))}
        if wrong:
            for file, (numbers, labels) in self._written.items():
                self._problems += [
                    f"{file}:{number}: {wrong[label]}"
                    for number, label in zip(numbers, labels, strict=True)
                    if label in wrong
                ]
        self.refuse_wrong_lines()
        return tuple(map(str, names))

    def refuse_wrong_lines(self) -> None:
        """Tell of all bad lines so far.

        Raises:
            DataError: any line was wrong; lists all of them.
        """
        if self._problems:
            raise DataError(
                f"{len(self._problems)} line(s) of the lists are wrong:\n  "
                + "\n  ".join(self._problems)
            )

    @property
    def is_multi_label(self) -> bool:
        """Whether labels have the form "0,1,0": a number for each class."""
        first = next((labels[0] for _, labels in self._written.values() if labels), 0)
        return isinstance(first, tuple)

    def _misfit(self, label: Label, count: int) -> str:
        """What is wrong with a label where there are `count` classes; "" when nothing is."""
        if isinstance(label, tuple) != self.is_multi_label:
            return f"{_written(label)!r} is of another form than the first line's label"
        if isinstance(label, tuple) and len(label) != count:
            return f"{len(label)} numbers are not one for each of the {count} classes"
        if not isinstance(label, tuple) and label >= count:
            return f"label {label} is out of range; the {count} classes are 0 … {count - 1}"
        return ""

    def _lines(self, file: Path) -> tuple[list[int], list[str]]:
        """The numbers and the text of those lines that are not blank."""
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._problems.append(f"{file}: cannot be read as UTF-8 text: {error}")
            return [], []
        lines = [line.strip() for line in text.split("\n")]
        numbers = [number for number, line in enumerate(lines, start=1) if line]
        return numbers, [line for line in lines if line]

    def _entries(
        self, file: Path, numbers: list[int], lines: list[str]
    ) -> tuple[list[int], list[str], list[Label]]:
        """Numbers, paths and labels of the right lines; the others become problems."""
        cut = [line.replace("\t", " ").rpartition(" ") for line in lines]
        labels: list[Any] = [_label(written) for _, _, written in cut]
        paths = [path for path, _, _ in cut]
        if None not in labels and all(paths):
            return numbers, paths, labels
        faults = [_fault(line) for line in lines]
        self._problems += [
            f"{file}:{number}: {fault}"
            for number, fault in zip(numbers, faults, strict=True)
            if fault
        ]
        right = [place for place, fault in enumerate(faults) if not fault]
        return (
            [numbers[place] for place in right],
            [paths[place] for place in right],
            [labels[place] for place in right],
        )

    def _find(self, place: str, path: str) -> tuple[str, bytes | None]:
        """The path under which a file is that is not at `path`, and its stamp; or none."""
        # Paddle's ImageNet lists write .jpeg where the archives hold .JPEG.
        stem, suffix = os.path.splitext(path.rstrip())  # noqa: PTH122
        for other in (stem + suffix, stem + suffix.upper(), stem + suffix.lower()):
            stamp = file_stamp(other)
            if stamp is not None:
                return other, stamp
        if self._on_error == "raise":
            self._problems.append(f"{place}: no such file: {path}")
        else:
            logger.warning("%s: left out, no such file: %s", place, path)
            self.missing.append((path, f"no such file ({place})"))
        return path, None


def _fault(line: str) -> str:
    """What is wrong with a line; "" when nothing is."""
    path, _, written = line.replace("\t", " ").rpartition(" ")
    if not path:
        return f"{line!r} is not a path, a space and a class number"
    if _label(written) is not None:
        return ""
    return (
        f"the label {written!r} is neither a whole number from 0 "
        "nor a 0 or 1 for each class, separated by commas"
    )


@lru_cache(maxsize=100_000)
def _label(written: str) -> Label | None:
    """The class number, or the 0 or 1 of each class; None for anything else."""
    if re.fullmatch("[0-9]+", written):
        return int(written)
    if re.fullmatch("[01](,[01])+", written):
        return tuple(map(int, written.split(",")))
    return None


def _classes_of(label: Label) -> int:
    """How many classes there must be."""
    return len(label) if isinstance(label, tuple) else label + 1


def _written(label: Label) -> str:
    return ",".join(map(str, label)) if isinstance(label, tuple) else str(label)
