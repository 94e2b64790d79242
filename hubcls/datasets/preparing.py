"""A data set of the catalogue on disk: fetched, unpacked and complete, or not there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from hubcls.datasets.originals import write_lists
from hubcls.datasets.spec import DatasetSpec, RemoteFile, Source
from hubcls.downloads import extract, fetch
from hubcls.downloads.fetching import forget
from hubcls.downloads.locking import locked
from hubcls.errors import (
    ArchiveError,
    ConfigError,
    DataError,
    DownloadError,
    OfflineError,
    UnknownNameError,
)
from hubcls.home import datasets_home
from hubcls.logs import logger


@dataclass(frozen=True)
class Prepared:
    """Where a data set lies.

    Attributes:
        source: which of its sources it came from.
        base: the folder that its list files or arrays lie in.
    """

    source: str
    base: Path


def prepare(row: DatasetSpec, source: str | None = None) -> Prepared:
    """The data set's folder, after fetching and unpacking it where it is not there.

    Args:
        row: the data set.
        source: one of `row.sources`; by default the first that is on disk, or else the
            first that can be fetched.

    Raises:
        UnknownNameError: the data set has no such source.
        DownloadError: it could not be fetched from any source.
        DataError: what was fetched is not the data set.
    """
    if source is not None and source not in row.sources:
        raise UnknownNameError(f"source of {row.name}", source, row.sources)
    if not row.sources:
        raise ConfigError(f"{row.name} is not fetched; it is brought by {row.brought_by}")
    wanted = [source] if source else list(row.sources)
    for name in wanted:
        if _folder(row, name).is_dir():
            return Prepared(name, _folder(row, name) / row.sources[name].base)
    failures = []
    for name in wanted:
        try:
            return _prepare_source(row, name)
        except OfflineError:
            raise
        except (DownloadError, ArchiveError, DataError) as error:
            logger.warning("%s cannot be had from %s: %s", row.name, name, error)
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    raise DownloadError("\n".join(map(str, failures)))


def _folder(row: DatasetSpec, source: str) -> Path:
    return datasets_home() / row.name / source


def _prepare_source(row: DatasetSpec, name: str) -> Prepared:
    source, folder = row.sources[name], _folder(row, name)
    with locked(folder):
        if not folder.is_dir():
            unfinished = folder.with_name(f".{name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            try:
                _fill(row, source, unfinished)
            except (ArchiveError, DataError):
                _forget_unpublished(row, source)
                raise
            unfinished.rename(folder)
            for file in source.files:  # their receipts stay
                _download_path(row, file).unlink()
    return Prepared(name, folder / source.base)


def _fill(row: DatasetSpec, source: Source, folder: Path) -> None:
    for file in source.files:
        path = _download_path(row, file)
        fetch(file.urls, path, sha256=file.sha256, size_bytes=file.size_bytes)
        if file.unpack_to is None:
            shutil.copyfile(path, folder / file.name)
        else:
            extract(path, folder / file.unpack_to)
    if source.needs_lists:
        write_lists(row, source, folder)
    wanted = [*source.lists.values(), *filter(None, [source.label_file])]
    missing = [name for name in wanted if not (folder / source.base / name).is_file()]
    if missing:
        raise DataError(f"{row.name}: the archive holds no {', '.join(missing)} in {source.base}")


def _download_path(row: DatasetSpec, file: RemoteFile) -> Path:
    return datasets_home() / row.name / "downloads" / file.name


def _forget_unpublished(row: DatasetSpec, source: Source) -> None:
    """Trust no longer the hashes of files that turned out to be wrong."""
    for file in source.files:
        if file.sha256 is None:
            forget(_download_path(row, file))
