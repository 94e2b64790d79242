"""One process at a time: the others wait, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from hubcls.logs import logger


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of `path` (a file beside it, `<name>.lock`) against other processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=1)
    except Timeout:
        logger.info("waiting for another process that is preparing %s", path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
