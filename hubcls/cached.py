"""The bound on what the cache folder keeps: what was used longest ago makes room."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hubcls.errors import ConfigError
from hubcls.home import cache_home

LIMIT_VARIABLE = "HUBCLS_CACHE_GB"
_USUAL_LIMIT = 10.0
# After so long nobody is still filling what is half.
_STALE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class _Unit:
    """What is kept or removed as a whole.

    Attributes:
        paths: files and folders, in the order in which they are removed.
        is_whole: nobody is filling it, or was when killed.
        last_use: seconds since the epoch.
        size_bytes: of all its files.
    """

    paths: tuple[str, ...]
    is_whole: bool
    last_use: float
    size_bytes: int


def cache_limit() -> int:
    """The most that features and decoded images may fill together, in bytes.

    Raises:
        ConfigError: HUBCLS_CACHE_GB is no number of at least 0.
    """
    given = os.environ.get(LIMIT_VARIABLE, "")
    try:
        gigabytes = float(given) if given else _USUAL_LIMIT
    except ValueError:
        gigabytes = -1.0
    if not gigabytes >= 0:
        raise ConfigError(f"{LIMIT_VARIABLE} must be a number of gigabytes from 0, not {given!r}")
    return int(gigabytes * 1e9)


def mark_used(path: Path) -> None:
    """Note that decoded images (their folder) or features (their keys) were used just now."""
    # Where the cache can be read but not written, nothing is removed either.
    with contextlib.suppress(OSError):
        os.utime(path)


def make_room() -> None:
    """Remove what killed runs have left, then what was used longest ago until the limit holds.

    Whoever has files of it open reads on. What other runs are writing is neither counted
    nor removed: they make room themselves.
    """
    units = [*_decoded_images(), *_pairs()]
    for unit in units:
        if not unit.is_whole and _is_stale(unit.last_use):
            _remove(unit)
    whole = [unit for unit in units if unit.is_whole]
    total, limit = sum(unit.size_bytes for unit in whole), cache_limit()
    for unit in sorted(whole, key=lambda unit: unit.last_use):
        if total <= limit:
            break
        _remove(unit)
        total -= unit.size_bytes
    _remove_empty_shelves()


def _decoded_images() -> Iterator[_Unit]:
    """Each folder of decoded images; hidden ones are being filled, or were."""
    for folder in _folders(cache_home() / "images"):
        size_bytes = sum(status.st_size for _, status in _files(folder))
        yield _Unit(
            (folder.path,), not folder.name.startswith("."), _last_change(folder), size_bytes
        )


def _pairs() -> Iterator[_Unit]:
    """Each pair of files of features, with what is still written or was left of one."""
    for shelf in _folders(cache_home() / "features"):
        files: dict[str, list[tuple[os.DirEntry[str], os.stat_result]]] = defaultdict(list)
        for file, status in _files(shelf):
            files[file.name.lstrip(".").partition(".")[0]].append((file, status))
        for pair in files.values():
            # Keys go before rows: rows alone do not count.
            pair.sort(key=lambda entry: entry[0].name)
            yield _Unit(
                tuple(file.path for file, _ in pair),
                [Path(file.name).suffix for file, _ in pair] == [".keys", ".rows"],
                max(status.st_mtime for _, status in pair),
                sum(status.st_size for _, status in pair),
            )


def _folders(room: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(room) as entries:
        yield from (entry for entry in entries if entry.is_dir())


def _files(folder: os.DirEntry[str]) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    # Another process may remove the folder or a file of it at any moment.
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                yield entry, entry.stat()


def _last_change(folder: os.DirEntry[str]) -> float:
    with contextlib.suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _is_stale(last_use: float) -> bool:
    return time.time() - last_use > _STALE_SECONDS


def _remove(unit: _Unit) -> None:
    for path in map(Path, unit.paths):
        # Windows refuses where another run reads; a later run tries again.
        with contextlib.suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remove_empty_shelves() -> None:
    for shelf in _folders(cache_home() / "features"):
        if _is_stale(_last_change(shelf)):
            # It removes no folder that holds anything.
            with contextlib.suppress(OSError):
                Path(shelf.path).rmdir()
