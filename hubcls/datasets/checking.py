"""Every image file is read once before training; what cannot be read is named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import PIL

from hubcls.datasets.base import Split
from hubcls.errors import ConfigError, DataError, UnreadableImagesError
from hubcls.home import cache_home
from hubcls.images import decoding
from hubcls.logs import logger
from hubcls.progress import progress

OnError = Literal["raise", "exclude"]
Excluded = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Listing:
    """Image files and their labels, as they were found or written; not yet read.

    Attributes:
        paths: absolute or relative to the working folder.
        labels: the number of each path's class; or 1 for every class that it shows and 0
            for the others.
    """

    paths: Sequence[str]
    labels: Sequence[int] | Sequence[tuple[int, ...]]


def checked_splits(
    listings: Mapping[str, Listing], name: str, *, on_error: OnError
) -> tuple[dict[str, Split], Excluded]:
    """The listings with every file read once, and what was left out.

    Verdicts are remembered in the cache folder by path, size and time of change.

    Args:
        listings: phase → files.
        name: the data set's, for the log.
        on_error: "raise" refuses the data set when a file cannot be read; "exclude" leaves
            such files out and says so.

    Returns:
        Phase → split, and (path, reason) of every file left out.

    Raises:
        UnreadableImagesError: files cannot be read; lists all of them.
        ConfigError: `on_error` is neither.
    """
    if on_error not in get_args(OnError):
        raise ConfigError(f'on_error must be "raise" or "exclude", not {on_error!r}')
    paths = list(dict.fromkeys(path for item in listings.values() for path in item.paths))
    verdicts = _verdicts(paths, name)
    failures = tuple(
        (path, verdict) for path, verdict in verdicts.items() if isinstance(verdict, str)
    )
    if failures and on_error == "raise":
        raise UnreadableImagesError(failures)
    for path, reason in failures:
        logger.warning("%s: left out %s: %s", name, path, reason)
    splits = {phase: _readable(listing, verdicts) for phase, listing in listings.items()}
    return splits, failures


def _readable(listing: Listing, verdicts: Mapping[str, bool | str]) -> Split:
    kept = [
        (path, label, verdicts[path])
        for path, label in zip(listing.paths, listing.labels, strict=True)
        if not isinstance(verdicts[path], str)
    ]
    return Split(
        tuple(path for path, _, _ in kept),
        np.array([label for _, label, _ in kept], np.int64),
        np.array([needs_pillow for _, _, needs_pillow in kept], np.bool_),
    )


def _verdicts(paths: Sequence[str], name: str) -> dict[str, bool | str]:
    """Path → whether it needs Pillow, or why it cannot be read."""
    stamps = {path: _stamp(path) for path in paths}
    with closing(_open_cache()) as cache:
        verdicts: dict[str, bool | str] = {**_remembered(cache, stamps)}
        unknown = [path for path in paths if path not in verdicts]
        verdicts |= _inspect_all(unknown, name)
        _remember(cache, stamps, {path: verdicts[path] for path in unknown})
    return {path: verdicts[path] for path in paths}


def _inspect_all(paths: Sequence[str], name: str) -> dict[str, bool | str]:
    if not paths:
        return {}
    verdicts: dict[str, bool | str] = {}
    with (
        progress(len(paths), f"{name}: checking images", unit="images") as advance,
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads,
    ):
        for path, verdict in zip(paths, threads.map(_inspect, paths), strict=True):
            verdicts[path] = verdict
            advance(1)
    return verdicts


def _inspect(path: str) -> bool | str:
    try:
        return decoding.inspect(path).needs_pillow
    except DataError as error:
        return str(error)


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - called 100,000 times
    except OSError:
        return os.path.abspath(path), -1, -1  # noqa: PTH100
    return os.path.abspath(path), status.st_size, status.st_mtime_ns  # noqa: PTH100


@lru_cache(maxsize=1)
def _rules() -> str:
    """What a verdict depends on besides the file: our rules and Pillow's version."""
    rules = Path(decoding.__file__).read_bytes() + PIL.__version__.encode()
    return sha256(rules).hexdigest()[:12]


def _open_cache() -> sqlite3.Connection:
    path = cache_home() / f"readable-images-{_rules()}.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _with_table(sqlite3.connect(path, timeout=30))
    except (OSError, sqlite3.Error) as error:
        logger.warning("%s cannot be used (%s); images are checked anew each time", path, error)
        return _with_table(sqlite3.connect(":memory:"))


def _with_table(cache: sqlite3.Connection) -> sqlite3.Connection:
    cache.execute(
        "CREATE TABLE IF NOT EXISTS readable "
        "(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, needs_pillow INTEGER)"
    )
    return cache


def _remembered(
    cache: sqlite3.Connection, stamps: Mapping[str, tuple[str, int, int]]
) -> dict[str, bool]:
    query = "SELECT needs_pillow FROM readable WHERE path = ? AND size = ? AND mtime_ns = ?"
    try:
        rows = {path: cache.execute(query, stamp).fetchone() for path, stamp in stamps.items()}
    except sqlite3.Error as error:
        logger.warning("the earlier verdicts on images cannot be read: %s", error)
        return {}
    return {path: bool(row[0]) for path, row in rows.items() if row is not None}


def _remember(
    cache: sqlite3.Connection,
    stamps: Mapping[str, tuple[str, int, int]],
    verdicts: Mapping[str, bool | str],
) -> None:
    rows = [
        (*stamps[path], verdict) for path, verdict in verdicts.items() if isinstance(verdict, bool)
    ]
    try:
        with cache:
            cache.executemany("INSERT OR REPLACE INTO readable VALUES (?, ?, ?, ?)", rows)
    except sqlite3.Error as error:
        logger.warning("the verdicts on %d images could not be kept: %s", len(rows), error)
