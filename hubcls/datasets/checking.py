"""Every image file is read once before training; what cannot be read is named."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
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

_BLOCK = 10_000


@dataclass(frozen=True)
class Listing:
    """Image files and their labels, as they were found or written; not yet read.

    Attributes:
        paths: absolute or relative to the working folder.
        labels: the number of each path's class; or 1 for every class that it shows and 0
            for the others.
        stamps: the `file_stamp` of each path, where it was taken already; else none.
    """

    paths: Sequence[str]
    labels: Sequence[int] | Sequence[tuple[int, ...]]
    stamps: Sequence[bytes] = ()


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
    stamps = {
        phase: item.stamps or [_stamp(path) for path in item.paths]
        for phase, item in listings.items()
    }
    verdicts, failures = _verdicts(listings, stamps, name)
    if failures and on_error == "raise":
        raise UnreadableImagesError(failures)
    for path, reason in failures:
        logger.warning("%s: left out %s: %s", name, path, reason)
    splits = {
        phase: _readable(item, [verdicts.get(stamp) for stamp in stamps[phase]])
        for phase, item in listings.items()
    }
    return splits, failures


def file_stamp(path: str) -> bytes | None:
    """16 bytes that change with the file's path, size or time of change; None for no file.

    Args:
        path: absolute.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - called a million times
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return _digest(f"{path}\0{status.st_size}\0{status.st_mtime_ns}")


def _stamp(path: str) -> bytes:
    place = os.path.abspath(path)  # noqa: PTH100
    return file_stamp(place) or _digest(f"{place}\0missing")


def _digest(facts: str) -> bytes:
    return blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _readable(listing: Listing, verdicts: Sequence[bool | None]) -> Split:
    """The files that have a verdict: whether they need Pillow."""
    kept = [place for place, verdict in enumerate(verdicts) if verdict is not None]
    return Split(
        tuple(listing.paths[place] for place in kept),
        np.array([listing.labels[place] for place in kept], np.int64),
        np.array([verdicts[place] for place in kept], np.bool_),
    )


def _verdicts(
    listings: Mapping[str, Listing], stamps: Mapping[str, Sequence[bytes]], name: str
) -> tuple[dict[bytes, bool], Excluded]:
    """Stamp → whether the file needs Pillow; and (path, reason) of the unreadable ones."""
    with closing(_open_cache()) as cache:
        verdicts = _remembered(cache, stamps)
        unknown = {
            stamp: path
            for phase, item in listings.items()
            for stamp, path in zip(stamps[phase], item.paths, strict=True)
            if stamp not in verdicts
        }
        failures: list[tuple[str, str]] = []
        for found in _inspections(list(unknown.items()), name):
            fresh = {stamp: item for stamp, item in found.items() if isinstance(item, bool)}
            failures += [
                (unknown[stamp], item) for stamp, item in found.items() if isinstance(item, str)
            ]
            verdicts |= fresh
            _remember(cache, fresh)
    return verdicts, tuple(failures)


def _inspections(
    files: Sequence[tuple[bytes, str]], name: str
) -> Iterator[dict[bytes, bool | str]]:
    """Stamp → verdict, a block at a time: an interrupted check goes on from the last one."""
    if not files:
        return
    with (
        progress(len(files), f"{name}: checking images", unit="images") as advance,
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as threads,
    ):
        for start in range(0, len(files), _BLOCK):
            block = files[start : start + _BLOCK]
            found = {}
            verdicts = threads.map(_inspect, [path for _, path in block])
            for (stamp, _), verdict in zip(block, verdicts, strict=True):
                found[stamp] = verdict
                advance(1)
            yield found


def _inspect(path: str) -> bool | str:
    try:
        return decoding.inspect(path).needs_pillow
    except DataError as error:
        return str(error)


@lru_cache(maxsize=1)
def _rules() -> str:
    """What a verdict depends on besides the file: our rules and Pillow's version."""
    rules = Path(decoding.__file__).read_bytes() + PIL.__version__.encode()
    return sha256(rules).hexdigest()[:12]


def _open_cache() -> sqlite3.Connection:
    path = cache_home() / f"checked-images-{_rules()}.sqlite"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _with_table(sqlite3.connect(path, timeout=30))
    except (OSError, sqlite3.Error) as error:
        logger.warning("%s cannot be used (%s); images are checked anew each time", path, error)
        return _with_table(sqlite3.connect(":memory:"))


def _with_table(cache: sqlite3.Connection) -> sqlite3.Connection:
    cache.execute(
        "CREATE TABLE IF NOT EXISTS readable "
        "(stamp BLOB PRIMARY KEY, needs_pillow INTEGER) WITHOUT ROWID"
    )
    return cache


def _remembered(
    cache: sqlite3.Connection, stamps: Mapping[str, Sequence[bytes]]
) -> dict[bytes, bool]:
    """Stamp → verdict, of those that have one, and perhaps of others."""
    wanted = sum(map(len, stamps.values()))
    try:
        (count,) = cache.execute("SELECT count(*) FROM readable").fetchone()
        # To read on is ten times as quick as to ask for each.
        if count < 10 * wanted:
            return dict(cache.execute("SELECT stamp, needs_pillow FROM readable"))
        query = "SELECT needs_pillow FROM readable WHERE stamp = ?"
        asked = sorted({stamp for group in stamps.values() for stamp in group})
        found = {stamp: cache.execute(query, (stamp,)).fetchone() for stamp in asked}
        return {stamp: bool(row[0]) for stamp, row in found.items() if row is not None}
    except sqlite3.Error as error:
        logger.warning("the earlier verdicts on images cannot be read: %s", error)
        return {}


def _remember(cache: sqlite3.Connection, verdicts: Mapping[bytes, bool]) -> None:
    try:
        with cache:
            cache.executemany(
                "INSERT OR REPLACE INTO readable VALUES (?, ?)", sorted(verdicts.items())
            )
    except sqlite3.Error as error:
        logger.warning("the verdicts on %d images could not be kept: %s", len(verdicts), error)
