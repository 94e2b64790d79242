"""The bound on what the cache folder keeps: what was used longest ago makes room."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from hubcls.errors import ConfigError
from hubcls.home import cache_home

LIMIT_VARIABLE = "HUBCLS_CACHE_GB"
# Their folders hold one folder for each thing that is kept or removed as a whole.
_BOUNDED = ("features", "images")
_USUAL_LIMIT = 10.0
# After so long nobody is still filling what is half.
STALE_SECONDS = 24 * 3600.0


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


def mark_used(folder: Path) -> None:
    """Note that something kept was used just now."""
    # Where the cache can be read but not written, nothing is removed either.
    with contextlib.suppress(OSError):
        os.utime(folder)


def make_room(keep: Path) -> None:
    """Remove what was used longest ago until the limit holds.

    Args:
        keep: a folder in use, which stays.
    """
    kept = {path: (_last_use(path), _size(path)) for path in _folders() if path != keep}
    total = _size(keep) + sum(size for _, size in kept.values())
    for path, (_, size) in sorted(kept.items(), key=lambda item: item[1]):
        if total > cache_limit():
            # Windows refuses where another run reads; the next one tries again.
            shutil.rmtree(path, ignore_errors=True)
            total -= size


def _folders() -> Iterator[Path]:
    for room in _BOUNDED:
        folder = cache_home() / room
        for path in folder.iterdir() if folder.is_dir() else ():
            # Hidden ones are being filled.
            is_young = time.time() - _last_use(path) < STALE_SECONDS
            if path.is_dir() and not (path.name.startswith(".") and is_young):
                yield path


def _last_use(folder: Path) -> float:
    # Another process may remove it at any moment.
    with contextlib.suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
    return total
