"""One measurement is one process; what it found is kept, so that a broken run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speed.environments import ROOT, installed, overlay_of, python_of, variables
from speed.rows import Contestant

Figures = dict[str, Any]

SCRIPTS = ROOT / "benchmarks" / "rivals"
RESULTS = "results"
# Of a failed process' output, what the table has room for.
REASON_LENGTH = 300


@dataclass(frozen=True)
class Place:
    """Where measurements happen.

    Attributes:
        work: folder of environments, photographs and results.
        timeout_seconds: how long one may take.
        code: hash of the code that is measured and of the code that measures.
    """

    work: Path
    timeout_seconds: float
    code: str


def measured(
    place: Place,
    contestant: Contestant,
    settings: Mapping[str, Any],
    number: int,
    *,
    anew: bool = False,
) -> Figures:
    """The figures of one process; those of an earlier run, if nothing has changed since.

    Neither code, nor settings, nor the versions of what is installed.

    Args:
        place: where.
        contestant: what runs.
        settings: all that its script reads.
        number: of the round.
        anew: measure, whatever is kept.

    Returns:
        The script's figures with "wall_seconds" and "peak_megabytes", when it "began" (seconds
        since 1970) and the load average then; or "failed" and why.
    """
    asked = {**settings, "task": contestant.does}
    try:
        python_of(place.work, contestant.environment)
        _ = contestant.overlay and overlay_of(place.work, contestant.overlay)
    except subprocess.CalledProcessError as error:
        return {"failed": f"pip could not set it up: {error}"}
    places = [name for name in (contestant.environment, contestant.overlay) if name]
    versions = [installed(place.work, name) for name in places]
    told = [contestant.script, *places, versions, asked, number]
    key = hashlib.sha256(json.dumps([*told, place.code], sort_keys=True).encode()).hexdigest()
    result = place.work / RESULTS / f"{key[:20]}.json"
    if result.is_file() and not anew:
        found: Figures = json.loads(result.read_text(encoding="utf-8"))
        return found
    figures = process(place, contestant, asked)
    if "failed" not in figures:
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def process(place: Place, contestant: Contestant, settings: Mapping[str, Any]) -> Figures:
    """Start a contestant's script, wait for it, and read its last line."""
    scratch, home = place.work / "scratch", place.work / "home"
    for folder in (scratch, *([] if contestant.keeps_home else [home])):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    log = place.work / "last.log"
    arguments = json.dumps({**settings, "scratch": str(scratch)})
    python = python_of(place.work, contestant.environment)
    environment = variables(place.work, home, contestant.overlay)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    at, began = time.time(), time.perf_counter()
    with log.open("w+", encoding="utf-8") as output:
        started = subprocess.Popen(
            [str(python), str(SCRIPTS / f"{contestant.script}.py"), arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=scratch,
            start_new_session=True,
        )
        code, peak = waited(started, place.timeout_seconds)
    seconds = time.perf_counter() - began
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if code != 0:
        kept = place.work / f"failed_{contestant.script}_{contestant.does}.log"
        shutil.copy(log, kept)
        why = f"after {seconds:.0f} s" if code < 0 else (lines or ["no output"])[-1]
        return {"failed": f"exit code {code}: {why[:REASON_LENGTH]}", "log": str(kept)}
    figures: Figures = json.loads(lines[-1])
    told = {"wall_seconds": seconds, "peak_megabytes": peak, "began": at, "load": load}
    return {**figures, **told}


def waited(started: subprocess.Popen[bytes], timeout_seconds: float) -> tuple[int, float]:
    """Exit code and peak memory in MB of a process, which is killed when its time is up."""
    timer = threading.Timer(timeout_seconds, os.killpg, (started.pid, signal.SIGKILL))
    timer.start()
    try:
        _, status, usage = os.wait4(started.pid, 0)
    except BaseException:
        os.killpg(started.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    started.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in kilobytes, macOS in bytes.
    return started.returncode, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


TABLE = ROOT / "benchmarks" / "speed" / "table.py"


def code_hash() -> str:
    """Of every file whose change may change a figure; the table's makes none."""
    files = sorted(
        path
        for folder in ("hubcls", "modules", "benchmarks/rivals", "benchmarks/speed")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml"} and path != TABLE
    )
    files.append(ROOT / "benchmarks" / "photographs.py")
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
