"""The folder of a run: what lies where, and whether a run found there is this one."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import yaml

from hubcls.errors import CheckpointError
from hubcls.logs import logger
from hubcls.training.checkpoints import read_state
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import RunProgress
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

    @property
    def has_best_model(self) -> bool:
        """Whether some evaluation, or the end of `finetune`, has left a best model."""
        return complete_folder(self.best_model).is_dir()

    def best_model_time(self) -> int:
        """When the best model was saved, in nanoseconds; a new one has another time."""
        return complete_folder(self.best_model).stat().st_mtime_ns

    def previous(self, config: RunConfig, run: Mapping[str, Any]) -> RunProgress | None:
        """The progress of the run to go on with; None to start a new one.

        Args:
            config: `resume` decides.
            run: what the new run is, as plain JSON types.

        Raises:
            CheckpointError: resume=True without a run, or the run found is another one.
        """
        if config.resume is False:
            self._remove_run()
            return None
        found = read_state(self.state)
        if found is None:
            if config.resume is True:
                raise CheckpointError(
                    f"resume=True, but {self.folder} holds no run; "
                    "check checkpoint_dir, or pass resume='auto'"
                )
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

    def write_config(self, values: Mapping[str, Any]) -> None:
        """Write `config.yaml`: everything needed to repeat the run, versions included."""
        content = yaml.safe_dump(
            {**values, "versions": versions()}, sort_keys=False, allow_unicode=True
        )
        write_file(self.config, content)

    def _remove_run(self) -> None:
        if read_state_or_damage(self.state):
            logger.info("resume=False: removing the run in %s", self.folder)
        for path in (self.state, self.visualization, self.best_model):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("history.csv", "report.json", "report.png"):
            (self.folder / name).unlink(missing_ok=True)


def read_state_or_damage(folder: Path) -> bool:
    """Whether the folder holds a state, readable or not."""
    try:
        return read_state(folder) is not None
    except CheckpointError:
        return True


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "hubcls": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
    }
