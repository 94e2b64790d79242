"""hubcls against plain Keras, KerasHub, PyTorch with timm, and fastai: docs/benchmarks.md.

Sets up the rivals in environments of their own (once, some gigabytes), makes the photographs,
and runs every task's contestants in turn, each measurement in a process of its own. What is
measured is kept in the work folder; a run that was broken off goes on. Needs
`pip install -e '.[dev]'` and a quiet machine; about 90 minutes on two cores.

    python benchmarks/run.py --work FOLDER
    python benchmarks/run.py --work FOLDER --quick      # prints, about 10 minutes
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from photographs import copies, make, mean_size
from speed.environments import ROOT
from speed.measuring import Figures, Place, code_hash, measured
from speed.rows import Contestant, Task, computes_in_bfloat16, in_short, without_bfloat16
from speed.table import page
from speed.tasks import FULL, QUICK, SMALL_SIDE, Sizes, tasks

MARKER = "speed"
PAGE = ROOT / "docs" / "benchmarks.md"
FOLDERS = ("frozen", "photographs", "few", "copies", "small", "large", "prepared")
BATCH_SIZE = 32
NO_HALVES = "The processor has no instructions for bfloat16: there are no rows in it."
PROFILED = (
    "**Where hubcls' time goes**, in batches of 32: `benchmarks/operations.py`, which this run "
    "ends with. Operations run side by side."
)
IN_SHORT = "Left out of this quick run: rows that take minutes, and those in bfloat16."
PREPARING = Contestant("preparing", "preparing", "prepare", "one set of weights for all")
SAME_WEIGHTS = (
    Contestant("plain Keras", "plain_keras", "features", ""),
    Contestant("KerasHub", "keras_hub_classifier", "features", ""),
    Contestant("PyTorch + timm", "torch_timm", "features", "", "torch"),
)


def folders_of(work: Path, sizes: Sizes, keys: set[str]) -> dict[str, str]:
    """Make the photographs that the tasks need, and say where they are."""
    name = f"photographs-{sizes.train}-{sizes.val}"
    photographs = make(work / name, train=sizes.train, val=sizes.val)
    few = work / f"photographs-{sizes.timed_resnet}-40"
    frozen = work / f"photographs-{sizes.frozen}-{sizes.val}"
    found = {"photographs": photographs, "few": few, "frozen": frozen}
    for key, count, side in (
        ("copies", sizes.folder, None),
        ("small", sizes.small, 2 * SMALL_SIDE),
        ("large", sizes.large, 2 * SMALL_SIDE),
    ):
        found[key] = work / f"copies-{count}-{side or 'whole'}"
        if keys & {"copies": {"T3", "T3b", "T4", "T4b"}}.get(key, {"T7", "T7b"}):
            copies(photographs, found[key], count, side=side)
    if "T1" in keys:
        make(frozen, train=sizes.frozen, val=sizes.val)
    if "T2b" in keys:
        make(few, train=sizes.timed_resnet, val=40)
    return {key: str(folder) for key, folder in found.items()}


def usual_settings(sizes: Sizes, folders: dict[str, str], prepared: Path) -> dict[str, Any]:
    """What every script is told; tasks and contestants say otherwise."""
    return {
        "photographs": folders["photographs"],
        "prepared": str(prepared),
        "network": "lite0",
        "batch_size": BATCH_SIZE,
        "warm_up_steps": sizes.warm_up_steps,
        "bfloat16": False,
        "checkpoint": str(prepared / "checkpoint_224"),
    }


def results_of(
    place: Place, task: Task, sizes: Sizes, usual: dict[str, Any]
) -> dict[str, list[Figures]]:
    """Rounds of all contestants in turn: A B C, A B C."""
    found: dict[str, list[Figures]] = {each.name: [] for each in task.contestants}
    # A row that goes on from the one before it must find what that has just left.
    follows = any(contestant.keeps_home for contestant in task.contestants)
    for number in range(min(task.rounds, sizes.most_rounds)):
        for contestant in task.contestants:
            if contestant.is_slow and number:
                continue
            asked = {**usual, **task.settings, **contestant.settings}
            figures = measured(place, contestant, asked, number, anew=follows)
            found[contestant.name].append(figures)
            shown = figures.get("failed") or f"{figures[task.figure]:,.1f} {task.unit}"
            print(f"{task.key} round {number + 1} {contestant.name}: {shown}", flush=True)
    return found


def prepared_files(place: Place, folders: dict[str, str]) -> tuple[Path, Figures]:
    """Weights and a trained head for all; ends the run if that fails."""
    prepared = place.work / f"prepared-{Path(folders['photographs']).name}"
    prepared.mkdir(exist_ok=True)
    told = {"photographs": folders["photographs"], "prepared": str(prepared)}
    figures = measured(place, PREPARING, {**told, "small_side": SMALL_SIDE}, 0)
    if "failed" in figures:
        raise SystemExit(
            f"could not prepare: {figures['failed']}\n  See {figures.get('log', 'above')}"
        )
    return prepared, figures


def facts(
    place: Place,
    preparing: Figures,
    usual: dict[str, Any],
    versions: dict[str, str],
    measurements: Sequence[Figures],
    compared: Sequence[Contestant],
) -> str:
    """Machine, versions, images, and how equal the weights of those compared are."""
    # hubcls brings TensorFlow, and its memory would be a floor under every child's peak.
    from pages import where_measured

    differences = []
    for contestant in compared:
        found = measured(place, contestant, usual, 0)
        told = found.get("failed") or f"{found['value']:.1g}"
        differences.append(f"{told} ({contestant.name})")
    equality = (
        f" Pooled features of 16 of them differ from hubcls' by at most {', '.join(differences)}; "
        f"their largest is {preparing['largest']:.1f}."
        if differences
        else ""
    )
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    photographs = Path(usual["photographs"])
    began = [time.gmtime(each["began"]) for each in measurements if "began" in each]
    first, last = (time.strftime("%Y-%m-%d %H:%M", one) for one in (min(began), max(began)))
    load = max(each["load"] for each in measurements if "load" in each)
    gpus = "Nothing was run on a GPU." if "GPU" not in str(preparing["environment"]) else ""
    halves = "" if computes_in_bfloat16() else f" {NO_HALVES}"
    return "\n".join(
        [
            where_measured(preparing["environment"]),
            f"Installed: {listed}. {gpus}{halves}",
            f"The first measurement began at {first} UTC, the last at {last}; the load average "
            f"before any of them was at most {load:.1f}.",
            "",
            f"Photographs: {mean_size(photographs):.0f} kB each, ten classes; the probe's accuracy "
            f"is {preparing['accuracy']:.3f}.{equality}",
        ]
    )


def profiles(photographs: str) -> str:
    """Where hubcls' time goes, as a table."""
    command = [sys.executable, str(ROOT / "benchmarks" / "operations.py")]
    told = [*command, "--photographs", photographs]
    return subprocess.run(told, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked."""
    names = [task.key for task in tasks(FULL, dict.fromkeys(FOLDERS, ""))]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("benchmark_work"), help="folder for all")
    parser.add_argument("--quick", action="store_true", help="fewer images, one round; prints only")
    parser.add_argument("--only", help=f"some of {', '.join(names)}, with commas; prints only")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    found = parser.parse_args(arguments)
    found.only = found.only.split(",") if found.only else names
    unknown = [key for key in found.only if key not in names]
    if unknown:
        parser.error(f"no task is called {', '.join(unknown)}; there are {', '.join(names)}")
    if not found.page.is_file():
        parser.error(f"{found.page} is no file; the table goes into a page with its markers")
    found.stores = not found.quick and found.only == names
    return found


def main() -> None:
    """Measure, print, and put the table into the page."""
    arguments = parsed(None)
    sizes = QUICK if arguments.quick else FULL
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    place = Place(work, sizes.timeout_seconds, code_hash())
    folders = folders_of(work, sizes, set(arguments.only))
    prepared, preparing = prepared_files(place, folders)
    folders["prepared"] = str(prepared)
    chosen = [task for task in tasks(sizes, folders) if task.key in arguments.only]
    if arguments.quick:
        chosen = [in_short(task) for task in chosen]
    elif not computes_in_bfloat16():
        chosen = [without_bfloat16(task) for task in chosen]
    usual = usual_settings(sizes, folders, prepared)
    results = {task.key: results_of(place, task, sizes, usual) for task in chosen}
    measurements = [
        figures for rows in results.values() for rounds in rows.values() for figures in rounds
    ]
    versions = {
        name: version
        for figures in measurements
        for name, version in figures.get("versions", {}).items()
    }
    compared = () if arguments.quick else SAME_WEIGHTS
    told = facts(place, preparing, usual, versions, measurements, compared)
    text = page(results, chosen, told)
    if arguments.stores:
        from pages import store

        text += f"\n\n{PROFILED}\n\n{profiles(folders['copies'])}"
        store(str(arguments.page.resolve()), MARKER, text)
    else:
        print(f"{IN_SHORT}\n{text}" if arguments.quick else text)


if __name__ == "__main__":
    sys.exit(main())
