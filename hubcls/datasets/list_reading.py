"""Lines of list files and label lists; every bad one is kept with its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hubcls.datasets.checking import Listing, OnError
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
        self._labels: list[tuple[str, Label]] = []

    def read(self, file: Path, *, has_labels: bool) -> Listing:
        """The images of one list; blank lines are skipped, absolute paths are kept."""
        paths: list[str] = []
        labels: list[Any] = []
        for place, line in self._lines(file):
            entry = self._entry(place, line) if has_labels else (line, 0)
            path = self._find(place, entry[0]) if entry else None
            if entry and path:
                paths.append(path)
                labels.append(entry[1])
        return Listing(paths, labels)

    def read_names(self, file: Path) -> list[str]:
        """One class name a line; PaddleClas' "0 name" lines lose their numbers."""
        lines = list(self._lines(file))
        numbered = [
            re.fullmatch(rf"{number}\s+(.+)", line) for number, (_, line) in enumerate(lines)
        ]
        if lines and all(numbered):
            return [found[1] for found in numbered if found]
        return [line for _, line in lines]

    def class_names(
        self, listings: Mapping[str, Listing], label_list: Sequence[str] | None
    ) -> tuple[str, ...]:
        """The class names: those given, or the numbers that occur in the listings.

        Raises:
            DataError: any line read so far was wrong; lists all of them.
        """
        count = max((_classes_of(label) for _, label in self._labels), default=0)
        names = [str(number) for number in range(count)] if label_list is None else label_list
        first = self._labels[0][1] if self._labels else 0
        for place, label in self._labels:
            if isinstance(label, tuple) != isinstance(first, tuple):
                self._problems.append(
                    f"{place}: {_written(label)!r} is of another form than the first line's label"
                )
            elif isinstance(label, tuple) and len(label) != len(names):
                self._problems.append(
                    f"{place}: {len(label)} numbers are not one for each of the "
                    f"{len(names)} classes"
                )
            elif not isinstance(label, tuple) and label >= len(names):
                self._problems.append(
                    f"{place}: label {label} is out of range; the {len(names)} classes are "
                    f"0 … {len(names) - 1}"
                )
        if self._problems:
            raise DataError(
                f"{len(self._problems)} line(s) of the lists are wrong:\n  "
                + "\n  ".join(self._problems)
            )
        return tuple(map(str, names))

    def _lines(self, file: Path) -> Iterator[tuple[str, str]]:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._problems.append(f"{file}: cannot be read as UTF-8 text: {error}")
            return
        for number, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                yield f"{file}:{number}", line.strip()

    @property
    def is_multi_label(self) -> bool:
        """Whether labels have the form "0,1,0": a number for each class."""
        return bool(self._labels) and isinstance(self._labels[0][1], tuple)

    def _entry(self, place: str, line: str) -> tuple[str, Label] | None:
        path, _, written = line.replace("\t", " ").rpartition(" ")
        label = _label(written)
        if not path:
            self._problems.append(f"{place}: {line!r} is not a path, a space and a class number")
        elif label is None:
            self._problems.append(
                f"{place}: the label {written!r} is neither a whole number from 0 "
                "nor a 0 or 1 for each class, separated by commas"
            )
        else:
            self._labels.append((place, label))
            return path.strip(), label
        return None

    def _find(self, place: str, written: str) -> str | None:
        path = os.path.join(self.base, written)  # noqa: PTH118 - called 100,000 times
        if os.path.isfile(path):  # noqa: PTH113
            return path
        # Paddle's ImageNet lists write .jpeg where the archives hold .JPEG.
        suffix = Path(path).suffix
        for other in (suffix.upper(), suffix.lower()):
            if Path(path).with_suffix(other).is_file():
                return str(Path(path).with_suffix(other))
        if self._on_error == "raise":
            self._problems.append(f"{place}: no such file: {path}")
        else:
            logger.warning("%s: left out, no such file: %s", place, path)
            self.missing.append((path, f"no such file ({place})"))
        return None


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
