"""How long the command line takes to start: `--help`, `modules list`, and one prediction.

    python benchmarks/startup.py [--rounds 7] [--store]

Commands take turns, each in a process of its own; the table has their medians, and the ratio
to `import tensorflow`. The classifier is `efficientnet_lite0_imagenet` with an untrained head,
saved without training. With `--store` the table goes into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pages import store, where_measured
from PIL import Image

import hubcls
from hubcls.cli.main import UNUSED_BY

UNUSED = UNUSED_BY["predict"]
PROMISES = {"hubcls --help": "0.3 s", "hubcls modules list": "0.5 s"}
TENSORFLOW = "import tensorflow"
# What `predict` pays of it: packages that are installed beside TensorFlow are kept out.
_ALONE = "import sys; sys.modules.update(dict.fromkeys({unused!r})); import tensorflow"


def main() -> None:
    """Measure, print, and store the table where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--store", action="store_true")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(commands(Path(folder)), arguments.rounds)
    text = f"{table(seconds)}\n\n{where_measured(load=load)}"
    if arguments.store:
        store("benchmarks.md", "startup", text)
    else:
        print(text)


def commands(folder: Path) -> dict[str, list[str]]:
    """What is timed, by name; a classifier and an image are written into the folder first."""
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name="efficientnet_lite0_imagenet"),
        dataset=hubcls.datasets.Digits(),
        config=hubcls.RunConfig(checkpoint_dir=folder / "run", num_epoch=0),
    )
    task.save_best_model()
    image = folder / "one.jpg"
    Image.radial_gradient("L").convert("RGB").resize((500, 375)).save(image)
    program = [sys.executable, "-m", "hubcls"]
    return {
        "hubcls --help": [*program, "--help"],
        "hubcls modules list": [*program, "modules", "list"],
        TENSORFLOW: [sys.executable, "-c", TENSORFLOW],
        "import tensorflow, alone": [sys.executable, "-c", _ALONE.format(unused=UNUSED)],
        "hubcls predict one.jpg": [
            *program, "predict", str(image), "--checkpoint", str(folder / "run")
        ],
    }  # fmt: skip


def measured(timed: dict[str, list[str]], rounds: int) -> dict[str, float]:
    """The median seconds of each command's process, after one round that warms the disk up."""
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds + 1):
        for name, command in timed.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(several[1:]) for name, several in taken.items()}


def table(seconds: dict[str, float]) -> str:
    """Rows of Markdown: command, seconds, its ratio to TensorFlow's import, what is promised."""
    rows = ["| process | seconds | × `import tensorflow` | promised |", "|---|---|---|---|"]
    for name, taken in seconds.items():
        promise = f"< {PROMISES[name]}" if name in PROMISES else ""
        rows.append(f"| `{name}` | {taken:.2f} | {taken / seconds[TENSORFLOW]:.2f} | {promise} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
