"""`hubcls datasets list | show | prepare`: the data sets of the catalogue."""

from __future__ import annotations

import argparse

from hubcls import datasets
from hubcls.cli.tables import columns, fields
from hubcls.datasets.finding import names, spec
from hubcls.datasets.spec import DatasetSpec, RemoteFile
from hubcls.home import datasets_home
from hubcls.registry import Table

_HEADING = ("name", "classes", "images", "title", "licence")
_WIDEST_LICENCE = 40
_PREPARED_FROM = Table(
    "data set that is prepared from a folder",
    {"imagenet": "hubcls.datasets.imagenet:prepare_imagenet"},
)


def run(arguments: argparse.Namespace) -> None:
    """Print what the action asks for, or fetch.

    Raises:
        UnknownNameError: no data set has the name.
    """
    if arguments.action == "list":
        print(_listing())
    elif arguments.action == "show":
        print(_details(spec(arguments.name)))
    else:
        print(_prepared(arguments.name, getattr(arguments, "from_folder", None)))


def _listing() -> str:
    rows = [_row(spec(name)) for name in names()]
    table = columns([_HEADING, *rows], right=(1, 2))
    return f"{table}\n\n{len(rows)} data sets; more on one: hubcls datasets show NAME"


def _row(dataset: DatasetSpec) -> tuple[str, ...]:
    licence = dataset.licence
    if len(licence) > _WIDEST_LICENCE:
        licence = f"{licence[: _WIDEST_LICENCE - 2]} …"
    return (
        dataset.name,
        str(dataset.num_classes),
        f"{_total(dataset):,}" if dataset.num_examples else "",
        dataset.title,
        licence,
    )


def _total(dataset: DatasetSpec) -> int:
    return dataset.num_examples.get("total", sum(dataset.num_examples.values()))


def _details(dataset: DatasetSpec) -> str:
    files = [
        (name, _file(file)) for name, source in dataset.sources.items() for file in source.files
    ]
    keeps = dataset.keeps_label
    unsuitable = [
        name
        for name, is_kept in (
            ("horizontal flip", keeps.horizontal_flip),
            ("random crop", keeps.random_crop),
        )
        if not is_kept
    ]
    return fields(
        [
            ("name", dataset.name),
            ("title", dataset.title),
            ("summary", dataset.summary),
            ("classes", f"{dataset.num_classes}: {', '.join(dataset.class_names)}".rstrip(": ")),
            ("images", ", ".join(f"{part} {n:,}" for part, n in dataset.num_examples.items())),
            ("licence", dataset.licence),
            ("homepage", dataset.homepage),
            ("brought by", dataset.brought_by),
            *files,
            ("changes the class", ", ".join(unsuitable)),
            ("also called", ", ".join(dataset.aliases)),
            ("kept in", str(datasets_home() / dataset.name) if files else ""),
        ]
    )


def _file(file: RemoteFile) -> str:
    size = f"{file.size_bytes / 1e6:,.1f} MB" if file.size_bytes else "size not published"
    digest = f"sha256 {file.sha256}" if file.sha256 else "no published hash"
    return ", ".join([*file.urls, size, digest])


def _prepared(name: str, folder: str | None) -> str:
    # Fetched on first use: reading images needs TensorFlow, listing data sets does not.
    row = spec(name)
    dataset = _PREPARED_FROM[row.name](folder) if folder else datasets.open_dataset(row.name)
    excluded = f"\nleft out: {len(dataset.info.excluded)}" if dataset.info.excluded else ""
    return f"{dataset}{excluded}\nclasses: {', '.join(dataset.get_labels())}"
