"""`history.csv`: one row for each evaluation of a run, always whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from hubcls.writing import write_file

Value = str | int | float


def write_history(path: Path, rows: Sequence[Mapping[str, Value]]) -> Path:
    """Write every row; a reader never finds a torn file.

    Args:
        path: of the file.
        rows: column → value. A column that a row lacks stays empty there; columns stand
            in the order in which they first occur.

    Returns:
        The path.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_file(path, text.getvalue())


def append_history(path: Path, row: Mapping[str, Value]) -> Path:
    """Add a row at the end; the file is made when missing, new columns when needed."""
    return write_history(path, [*read_history(path), row])


def read_history(path: Path) -> list[dict[str, Value]]:
    """The rows, numbers as numbers, without the empty cells; none when there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: _value(cell) for name, cell in row.items() if cell}
            for row in csv.DictReader(file)
        ]


def _value(cell: str) -> Value:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
