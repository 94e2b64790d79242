"""Test accuracy and time of the strategies on 2,000 Fashion-MNIST images, over seeds.

Each run is the command that a user would type, in a process of its own; what is reported
is read from the run's report.json. The table goes into docs/benchmarks.md between two
markers; runs that this very code has left in the work folder are not repeated.

    python benchmarks/strategies.py --work /tmp/strategies
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pages import store, where_measured

STRATEGIES = {
    "auto": "AutoFinetuneStrategy",
    "auto_probe": "AutoFinetuneStrategy, num_epoch=0: its probe alone",
    "ulmfit": "ULMFiTStrategy",
    "default_finetune": "DefaultFinetuneStrategy",
}


def command(name: str, seed: int, folder: Path) -> list[str]:
    """The command line of one run."""
    return [
        *("hubcls", "train", "--module", "efficientnet_lite0_imagenet"),
        *("--dataset", "fashion_mnist", "--train-examples", "2000"),
        *("--num-epoch", "0" if name == "auto_probe" else "2"),
        *("--strategy", "auto" if name == "auto_probe" else name),
        *("--seed", str(seed), "--checkpoint-dir", str(folder)),
    ]


def run(name: str, seed: int, work: Path) -> dict[str, Any]:
    """One run's test accuracy and wall time; done before, it is read back."""
    folder = work / f"{name}_{seed}"
    result = folder / "benchmark.json"
    if not result.exists() or json.loads(result.read_text())["code"] != code():
        shutil.rmtree(folder, ignore_errors=True)
        began = time.perf_counter()
        process = subprocess.run(
            [sys.executable, "-m", *command(name, seed, folder)], capture_output=True, text=True
        )
        seconds = time.perf_counter() - began
        if process.returncode:
            raise SystemExit(process.stderr[-3000:])
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        accuracy = report["evaluations"]["test"]["scores"]["acc"]
        measured = {
            "accuracy": accuracy,
            "seconds": seconds,
            "environment": report["environment"],
            "code": code(),
        }
        result.write_text(json.dumps(measured), encoding="utf-8")
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    print(f"{name} seed {seed}: {found['accuracy']:.4f} in {found['seconds']:.0f} s", flush=True)
    return found


def table(results: dict[str, list[dict[str, Any]]], seeds: int) -> str:
    """The measured table, with machine and versions."""
    environment = next(iter(results.values()))[0]["environment"]
    spread_words = "one seed" if seeds == 1 else f"mean ± sd over {seeds} seeds"
    lines = [
        where_measured(environment),
        "",
        f"| strategy | test accuracy, {spread_words} | wall time, median |",
        "|---|---|---|",
    ]
    for name, runs in results.items():
        accuracies = [run["accuracy"] for run in runs]
        seconds = statistics.median(run["seconds"] for run in runs)
        spread = f" ± {statistics.stdev(accuracies):.4f}" if seeds > 1 else ""
        mean = statistics.mean(accuracies)
        lines.append(f"| {STRATEGIES[name]} | {mean:.4f}{spread} | {seconds:.0f} s |")
    return "\n".join(lines)


def code() -> str:
    """A hash of hubcls' source files: other code may give other numbers."""
    package = Path(__file__).resolve().parents[1] / "hubcls"
    files = sorted(package.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def main() -> None:
    """Run what is missing, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=STRATEGIES, default=list(STRATEGIES))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in arguments.only}
    for seed in range(arguments.seeds):
        for name in arguments.only:
            results[name].append(run(name, seed, arguments.work))
    store("benchmarks.md", "strategies", table(results, arguments.seeds))


if __name__ == "__main__":
    main()
