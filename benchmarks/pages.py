"""What the benchmarks write into the pages of docs/: a table, and where it was measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubcls.evaluation.report import environment

DOCS = Path(__file__).resolve().parents[1] / "docs"


def store(page: str, marker: str, text: str) -> None:
    """Print a text, and put it into a page of docs/ between the markers of that name."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    path = DOCS / page
    old = path.read_text(encoding="utf-8")
    before, after = old.split(begin)[0], old.split(end)[1]
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
    print(text)


def where_measured(facts: Mapping[str, Any] | None = None, *, load: float | None = None) -> str:
    """Machine and versions in one sentence.

    Args:
        facts: "environment" of a run's report.json; None asks this process.
        load: the machine's load average before the start, where it matters.
    """
    facts = facts or environment()
    loaded = "" if load is None else f", load average {load:.1f} before the start"
    return (
        f"Measured on {', '.join(facts['devices'])}, {cores()} CPU cores{loaded}; "
        f"hubcls {facts['hubcls']}, Keras {facts['keras']}, TensorFlow {facts['tensorflow']}, "
        f"Python {facts['python']}."
    )


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
