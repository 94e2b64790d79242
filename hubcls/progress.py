"""Progress of long jobs: a bar on a terminal, two log lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from hubcls.logs import logger

Advance = Callable[[int], None]
Job = Callable[[int | None, str, str], AbstractContextManager[Advance]]

# How a job is shown that begins while another one runs; None where none does.
_job_inside: ContextVar[Job | None] = ContextVar("_job_inside", default=None)


@contextmanager
def progress(total: int | None, description: str, unit: str = "items") -> Iterator[Advance]:
    """Show how far a job is; call the value with the number of units just done.

    The bar stands on standard error when that is a terminal or HUBCLS_PROGRESS=1, and
    goes when the job ends. Elsewhere, and with HUBCLS_PROGRESS=0, the start and the end
    are logged. A job inside another one gets a bar below the other's, or no log lines.

    Args:
        total: units in all; None when nobody knows.
        description: what is done, e.g. "Flowers: checking images".
        unit: what is counted; "bytes" are shown in MB and with their speed.

    Example:
        >>> with progress(2, "adding", unit="numbers") as advance:
        ...     advance(2)
    """
    job = _job_inside.get() or (_bar if _wants_bar() else _log_lines)
    with job(total, description, unit) as advance:
        yield advance


def _wants_bar() -> bool:
    wish = os.environ.get("HUBCLS_PROGRESS")
    return wish != "0" if wish else sys.stderr.isatty()


@contextmanager
def _bar(total: int | None, description: str, unit: str) -> Iterator[Advance]:
    columns = [TextColumn("{task.description}"), BarColumn(), _Amount(), TimeRemainingColumn()]
    console = Console(file=sys.stderr, force_terminal=True)
    display = Progress(*columns, console=console, transient=True)
    with display, _showing_inside(partial(_bar_below, display)):
        task = display.add_task(description, total=total, unit=unit)
        yield partial(display.advance, task)


@contextmanager
def _bar_below(
    display: Progress, total: int | None, description: str, unit: str
) -> Iterator[Advance]:
    task = display.add_task(description, total=total, unit=unit)
    try:
        yield partial(display.advance, task)
    finally:
        display.remove_task(task)


@contextmanager
def _log_lines(total: int | None, description: str, unit: str) -> Iterator[Advance]:
    done = 0

    def advance(units: int) -> None:
        nonlocal done
        done += units

    logger.info("%s%s", description, f" ({_amount(total, unit)})" if total else "")
    start = time.monotonic()
    with _showing_inside(_nothing):
        yield advance
    seconds = time.monotonic() - start
    logger.info("%s: %s in %.1f s", description, _amount(done, unit), seconds)


@contextmanager
def _nothing(total: int | None, description: str, unit: str) -> Iterator[Advance]:
    yield lambda units: None


@contextmanager
def _showing_inside(job: Job) -> Iterator[None]:
    before = _job_inside.set(job)
    try:
        yield
    finally:
        _job_inside.reset(before)


class _Amount(ProgressColumn):
    """What is done and what there is, in the job's own unit; bytes with their speed."""

    def __init__(self) -> None:
        super().__init__()
        self._count = MofNCompleteColumn()
        self._size, self._speed = DownloadColumn(), TransferSpeedColumn()

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        if unit == "bytes":
            return Text.assemble(self._size.render(task), " ", self._speed.render(task))
        return Text.assemble(self._count.render(task), f" {unit}")


def _amount(units: int, unit: str) -> str:
    return f"{units / 1e6:,.1f} MB" if unit == "bytes" else f"{units:,} {unit}"
