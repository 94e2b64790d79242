"""Files and folders that appear whole or not at all, whatever kills the process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_file(path: Path, content: bytes | str) -> Path:
    """Put `content` at `path`; a reader finds the old file or the new one, never half.

    Args:
        path: its folder is made when missing.
        content: text is written as UTF-8, line ends as given.

    Returns:
        The path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return path


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `folder` when the block succeeds.

    No system renames a folder over a full one, so the old one steps aside first. A kill
    between the two renames leaves it complete under its other name, where
    `complete_folder` finds it. One process at a time may replace a folder.

    Args:
        folder: may be missing or full; its parents are made.

    Yields:
        An empty folder beside `folder`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    new, old = _sibling(folder, "new"), _sibling(folder, "old")
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        _sync_tree(new)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        _sync_folder(folder.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def complete_folder(folder: Path) -> Path:
    """Where the content of `folder` lies: there, or aside when a replacement was killed."""
    old = _sibling(folder, "old")
    return old if old.is_dir() and not folder.exists() else folder


def _sibling(folder: Path, state: str) -> Path:
    return folder.with_name(f".{folder.name}.{state}")


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with Path(parent, name).open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(Path(parent))


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder; there the rename alone must do.
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
