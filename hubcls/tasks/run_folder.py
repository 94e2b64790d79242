"""The folder of a run: what lies where, and whether a run found there is this one."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from hubcls.errors import CheckpointError
from hubcls.logs import logger
from hubcls.training.checkpoints import read_state
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import RunProgress
from hubcls.typed_yaml import dump
from hubcls.version import __version__
from hubcls.writing import complete_folder, write_file


class RunFolder:
    """The paths in `checkpoint_dir`, and the run that was found there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.best_model = folder / "best_model"
        self.visualization = folder / "visualization"
        self.config = folder / "config.yaml"
        self.history = folder / "history.csv"

    @property
    def has_best_model(self) -> bool:
        """Whether some evaluation, or the end of `finetune`, has left a best model."""
        return complete_folder(self.best_model).is_dir()

    def best_model_time(self) -> int:
        """When the best model was saved, in nanoseconds; a new one has another time."""
        return complete_folder(self.best_model).stat().st_mtime_ns

    def previous(self, run: Mapping[str, Any]) -> RunProgress | None:
        """The progress of the run found here; None when there is none.

        Args:
            run: what the run that wants to go on is, as plain JSON types.

        Raises:
            CheckpointError: the run found is another one, or its state is damaged.
        """
        found = read_state(self.state)
        if found is None:
            return None
        progress, found_run = found
        different = [
            f"{key}: {found_run.get(key)!r} there, {run.get(key)!r} now"
            for key in sorted({*run, *found_run})
            if run.get(key) != found_run.get(key)
        ]
        if different:
            raise CheckpointError(
                f"{self.folder} holds another run:\n  "
                + "\n  ".join(different)
                + "\n  Choose another checkpoint_dir, or pass resume=False to start over there."
            )
        return progress

    def policy(self, config: RunConfig) -> str | None:
        """The dtype policy of the run that `config` may go on with; None when there is none."""
        found = None if config.resume is False else read_state(self.state)
        return None if found is None else found[1].get("policy")

    def write_config(self, values: Mapping[str, Any]) -> None:
        """Write `config.yaml`: what `hubcls train -c` repeats the run with, and its facts."""
        write_file(self.config, dump(values))

    def remove_run(self) -> None:
        """Delete what a run has left here, for another one to start over."""
        if self.state.exists():
            logger.info("resume=False: removing the run in %s", self.folder)
        for path in (self.state, self.visualization, self.best_model):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("history.csv", "report.json", "report.png"):
            (self.folder / name).unlink(missing_ok=True)


def take_over(mine: RunProgress, found: RunProgress, *, max_seconds: float | None) -> None:
    """Let a run go on where the one that was found stands.

    A finished one goes on when more epochs, or more seconds, are allowed now.
    """
    goes_on = mine.num_epoch > found.num_epoch or (
        found.stop_reason.startswith("max_seconds")
        and (max_seconds is None or max_seconds > found.seconds)
    )
    mine.step, mine.seconds = found.step, found.seconds
    mine.evaluations, mine.history = found.evaluations, found.history
    mine.is_finished = found.is_finished and not goes_on
    mine.stop_reason = found.stop_reason if mine.is_finished else ""


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "hubcls": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }
