"""`hubcls find-lr`: a learning rate for the run that a config and flags describe."""

from __future__ import annotations

import argparse
from pathlib import Path

from hubcls.cli.configs import config_of
from hubcls.cli.parsing import given
from hubcls.cli.tables import columns
from hubcls.tasks.rate_finding import find_learning_rate, write_rate_figure
from hubcls.training.rate_test import RateTest

_ROWS = 12


def run(arguments: argparse.Namespace) -> None:
    """Print the loss at some of the rates and the suggestion; draw all of them if asked."""
    task = config_of(arguments).build_task()
    found = find_learning_rate(task, **given(arguments, ["lowest", "highest", "num_steps"]))
    print(_table(found))
    if hasattr(arguments, "out"):
        path = Path(arguments.out).expanduser()
        write_rate_figure(path, found)
        print(f"\n{path}")


def _table(found: RateTest) -> str:
    every = max(1, len(found.rates) // _ROWS)
    rows = [
        [f"{rate:.2e}", f"{loss:.4f}"]
        for rate, loss in zip(found.rates[::every], found.smoothed[::every], strict=True)
    ]
    table = columns([["learning rate", "loss"], *rows], right=range(2))
    return f"{table}\n\nsuggested: --learning-rate {found.suggestion:.2g}"
