"""Progress of long jobs: a bar on a terminal, two log lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from hubcls.logs import logger

Advance = Callable[[int], None]


@contextmanager
def progress(total: int | None, description: str, unit: str = "items") -> Iterator[Advance]:
    """Show how far a job is; call the value with the number of units just done.

    The bar stands on standard error when that is a terminal or HUBCLS_PROGRESS=1, and
    goes when the job ends. Elsewhere, and with HUBCLS_PROGRESS=0, the start and the end
    are logged.

    Args:
        total: units in all; None when nobody knows.
        description: what is done, e.g. "Flowers: checking images".
        unit: what is counted; "bytes" are shown in MB and with their speed.

    Example:
        >>> with progress(2, "adding", unit="numbers") as advance:
        ...     advance(2)
    """
    job = _bar if _wants_bar() else _log_lines
    with job(total, description, unit) as advance:
        yield advance


def _wants_bar() -> bool:
    wish = os.environ.get("HUBCLS_PROGRESS")
    return wish != "0" if wish else sys.stderr.isatty()


@contextmanager
def _bar(total: int | None, description: str, unit: str) -> Iterator[Advance]:
    count: list[ProgressColumn] = [MofNCompleteColumn(), TextColumn(unit)]
    if unit == "bytes":
        count = [DownloadColumn(), TransferSpeedColumn()]
    columns = [TextColumn("{task.description}"), BarColumn(), *count, TimeRemainingColumn()]
    console = Console(file=sys.stderr, force_terminal=True)
    with Progress(*columns, console=console, transient=True) as shown:
        job = shown.add_task(description, total=total)
        yield lambda units: shown.advance(job, units)


@contextmanager
def _log_lines(total: int | None, description: str, unit: str) -> Iterator[Advance]:
    done = 0

    def advance(units: int) -> None:
        nonlocal done
        done += units

    logger.info("%s%s", description, f" ({_amount(total, unit)})" if total else "")
    start = time.monotonic()
    yield advance
    seconds = time.monotonic() - start
    logger.info("%s: %s in %.1f s", description, _amount(done, unit), seconds)


def _amount(units: int, unit: str) -> str:
    return f"{units / 1e6:,.1f} MB" if unit == "bytes" else f"{units:,} {unit}"
