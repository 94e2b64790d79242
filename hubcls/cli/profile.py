"""`hubcls profile`: where the time of a training step goes."""

from __future__ import annotations

import argparse
from pathlib import Path

from hubcls.cli.configs import config_of
from hubcls.cli.parsing import given
from hubcls.cli.tables import columns
from hubcls.tasks.step_profiling import profile_task
from hubcls.training.profiling import StepProfile

_EMBEDDED = "digits"


def run(arguments: argparse.Namespace) -> None:
    """Print the parts of a step and write TensorBoard's profile."""
    if not given(arguments, ["dataset", "config", "override"]):
        arguments.dataset = _EMBEDDED
        print(f"no --dataset: training on {_EMBEDDED}, whose images lie in memory")
    trace = Path(arguments.out).expanduser()
    task = config_of(arguments).build_task()
    print(table(profile_task(task, trace=trace, **given(arguments, ["num_steps"]))))


def table(profile: StepProfile) -> str:
    """What a step goes through; milliseconds and share of each part, and of the whole."""
    total = profile.total_seconds
    rows = [
        [part, f"{1e3 * seconds:.1f}", f"{seconds / total:.0%}"]
        for part, seconds in [*profile.seconds.items(), ("step", total)]
    ]
    lines = columns([["part", "ms", "share"], *rows], right=(1, 2))
    speed = f"{profile.images_per_second:.1f} images/s in batches of {profile.batch_size}"
    reader = "pip install tensorboard-plugin-profile, then tensorboard --logdir"
    return f"training {profile.route}\n\n{lines}\n\n{speed}\n{reader} {profile.trace}"
