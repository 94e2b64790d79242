"""Images in a table: a CSV file or a pandas DataFrame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubcls.datasets.base import PHASES, Dataset, DatasetInfo, LabelKeeping, divided
from hubcls.datasets.checking import Listing, OnError, checked_splits
from hubcls.errors import DataError

_SEPARATOR = "|"
_SPLITS = {**{phase: phase for phase in PHASES}, "dev": "val", "valid": "val", "validation": "val"}


class ImageTable(Dataset):
    """Rows with the columns `image`, `label` and perhaps `split`.

    Where images show several classes, a column `labels` takes the place of `label` and holds
    all of an image's, separated by "|"; an empty one is an image that shows none of them.
    """

    def __init__(
        self,
        table: str | Path | Any,
        *,
        base_path: str | Path | None = None,
        class_names: Sequence[str] | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        on_error: OnError = "raise",
        keeps_label: LabelKeeping | None = None,
    ) -> None:
        """Read the table, check every image, and split.

        Args:
            table: a CSV file (comma, semicolon or tab; UTF-8), or a pandas DataFrame.
                `label` holds class names, `split` one of train, val (dev, valid,
                validation) and test.
            base_path: the folder that `image` is relative to; by default the CSV file's,
                or the working folder.
            class_names: the order of the classes; by default the labels, sorted, numbers
                by their size.
            val_fraction: share for validation, where there is no column `split`.
            test_fraction: share for the test, where there is no column `split`.
            seed: which rows go where; the same seed and table give the same splits.
            on_error: "raise" when an image is missing or unreadable, or "exclude" it.
            keeps_label: which augmentations suit the images; flip and crop by default.

        Raises:
            DataError: rows are wrong; lists all of them with their place.
            UnreadableImagesError: images cannot be read; lists all of them.
        """
        is_file = isinstance(table, str | Path)
        rows = _csv_rows(Path(table)) if is_file else _frame_rows(table)
        name = Path(table).stem if is_file else "table"
        base = Path(base_path or (Path(table).parent if is_file else ".")).expanduser().absolute()
        names = tuple(class_names or _sorted_names(label for row in rows for label in row.labels))
        _refuse_bad_rows(rows, names)
        splits, excluded = checked_splits(_listings(rows, names, base), name, on_error=on_error)
        if "all" in splits:
            splits = divided(
                splits["all"], val_fraction=val_fraction, test_fraction=test_fraction, seed=seed
            )
        super().__init__(
            DatasetInfo(
                name=name,
                class_names=names,
                is_multi_label=rows[0].is_multi_label if rows else False,
                keeps_label=keeps_label or LabelKeeping(),
                excluded=excluded,
                source=str(table) if is_file else "a DataFrame",
            ),
            splits,
            val_fraction=val_fraction,
            seed=seed,
        )


@dataclass(frozen=True)
class _Row:
    place: str
    image: str
    labels: tuple[str, ...]
    split: str | None
    is_multi_label: bool


def _csv_rows(path: Path) -> list[_Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    _refuse_columns(path, reader.fieldnames or ())
    return [_row(f"{path}:{reader.line_num}", values) for values in reader]


def _frame_rows(frame: Any) -> list[_Row]:
    if not hasattr(frame, "columns"):
        raise DataError(f"a table is a CSV file or a DataFrame, not {type(frame).__name__}")
    _refuse_columns("the DataFrame", list(frame.columns))
    known = ("image", "label", "labels", "split")
    columns = [name for name in known if name in frame.columns]
    cells = [frame[name].tolist() for name in columns]
    return [
        _row(f"row {number}", dict(zip(columns, values, strict=True)))
        for number, values in enumerate(zip(*cells, strict=True))
    ]


def _row(place: str, cells: Mapping[str, Any]) -> _Row:
    split = _text(cells["split"]) if "split" in cells else None
    image, is_multi_label = _text(cells["image"]), "labels" in cells
    if not is_multi_label:
        return _Row(place, image, (_text(cells["label"]),), split, is_multi_label)
    parts = (part.strip() for part in _text(cells["labels"]).split(_SEPARATOR))
    return _Row(place, image, tuple(part for part in parts if part), split, is_multi_label)


def _text(cell: Any) -> str:
    """A cell as text; pandas turns a column of whole numbers with a gap into floats."""
    if cell is None or cell != cell:
        return ""
    return str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell).strip()


def _refuse_columns(place: object, columns: Sequence[Any]) -> None:
    has_labels = ("label" in columns) != ("labels" in columns)
    if "image" not in columns or not has_labels:
        raise DataError(
            f"{place} has the columns {', '.join(map(str, columns)) or 'none'}.\n"
            "  Name them image, label (or labels, where images show several classes, "
            f"separated by {_SEPARATOR!r}; not both) and, where you have splits, split."
        )


def _sorted_names(labels: Iterable[str]) -> list[str]:
    names = {label for label in labels if label}
    if all(name.isdecimal() for name in names):
        return sorted(names, key=int)
    return sorted(names)


def _refuse_bad_rows(rows: Sequence[_Row], names: tuple[str, ...]) -> None:
    problems = []
    for row in rows:
        if not row.image:
            problems.append(f"{row.place}: image is empty")
        problems += [
            f"{row.place}: label {label!r} is none of the classes"
            for label in row.labels
            if label not in names
        ]
        if row.split is not None and row.split not in _SPLITS:
            problems.append(f"{row.place}: split {row.split!r} is none of {', '.join(_SPLITS)}")
    if problems:
        raise DataError(f"{len(problems)} cell(s) are wrong:\n  " + "\n  ".join(problems))


def _listings(rows: Sequence[_Row], names: tuple[str, ...], base: Path) -> dict[str, Listing]:
    """The rows by split; all under "all" where the table has no splits."""
    numbers = {name: number for number, name in enumerate(names)}
    chosen: dict[str, list[_Row]] = {}
    for row in rows:
        chosen.setdefault("all" if row.split is None else _SPLITS[row.split], []).append(row)

    def label(row: _Row) -> Any:
        if row.is_multi_label:
            return tuple(int(name in row.labels) for name in names)
        return numbers[row.labels[0]]

    return {
        phase: Listing([str(base / row.image) for row in group], [label(row) for row in group])
        for phase, group in chosen.items()
    }
