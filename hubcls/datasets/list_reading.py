"""Lines of list files and label lists; every bad one is kept with its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hubcls.datasets.checking import Listing, OnError
from hubcls.errors import DataError
from hubcls.logs import logger


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
        self._labels: list[tuple[str, int]] = []

    def read(self, file: Path, *, has_labels: bool) -> Listing:
        """The images of one list; blank lines are skipped, absolute paths are kept."""
        paths: list[str] = []
        labels: list[int] = []
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
        highest = max((label for item in listings.values() for label in item.labels), default=-1)
        names = [str(number) for number in range(highest + 1)] if label_list is None else label_list
        self._problems += [
            f"{place}: label {label} is out of range; the {len(names)} classes are "
            f"0 … {len(names) - 1}"
            for place, label in self._labels
            if label >= len(names)
        ]
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

    def _entry(self, place: str, line: str) -> tuple[str, int] | None:
        path, _, label = line.replace("\t", " ").rpartition(" ")
        if not path:
            self._problems.append(f"{place}: {line!r} is not a path, a space and a class number")
        elif not re.fullmatch("[0-9]+", label):
            self._problems.append(f"{place}: the label {label!r} is not a whole number from 0")
        else:
            self._labels.append((place, int(label)))
            return path.strip(), int(label)
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
