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
