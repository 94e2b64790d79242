"""The resumable state of a run: one file, written whole or not at all.

Keras' own savers rewrite their file in place, so that a kill in the middle loses the
only copy, and store no seed generators, so that dropout goes on with other masks. Here
every variable of the model, the optimizer and the metrics goes into one safetensors
file beside the position in the data, under a temporary name that is then renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors
from safetensors.numpy import save

from hubcls.errors import CheckpointError
from hubcls.training.run_state import RunProgress
from hubcls.writing import write_file

STATE_FILE = "state.safetensors"
_FORMAT = 1


def save_state(
    folder: Path,
    model: keras.Model,
    progress: RunProgress,
    run: dict[str, Any],
    *,
    metrics: Sequence[keras.metrics.Metric] | None = None,
) -> Path:
    """Write everything that training needs to go on from here.

    Args:
        folder: made when missing.
        model: compiled, its optimizer built.
        progress: where the run stands.
        run: what the run is, as plain JSON; compared by whoever resumes.
        metrics: of the part of the model that trains; None takes the model's own.

    Returns:
        The file.
    """
    own = model.metrics if metrics is None else metrics
    arrays = {name: _contiguous(variable) for name, variable in _variables(model, own)}
    facts = {"format": _FORMAT, "progress": progress.as_dict(), "run": run}
    content = save(arrays, metadata={"hubcls": json.dumps(facts)})
    return write_file(folder / STATE_FILE, content)


def read_state(folder: Path) -> tuple[RunProgress, dict[str, Any]] | None:
    """Where the run in `folder` stands and what it is; None when there is no run.

    Raises:
        CheckpointError: the file is damaged or from a newer hubcls.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["hubcls"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}\n"
            "  Delete the folder, or pass resume=False, to start the run over."
        ) from error
    if facts["format"] > _FORMAT:
        raise CheckpointError(
            f"{path} has format {facts['format']}, but this hubcls knows up to {_FORMAT}; "
            "upgrade hubcls"
        )
    return RunProgress.from_dict(facts["progress"]), facts["run"]


def restore_weights(folder: Path, model: keras.Model) -> None:
    """Give model and optimizer the values that `save_state` wrote.

    Raises:
        CheckpointError: the state belongs to another network or optimizer.
    """
    _restore(folder, model, prefixes=("model", "optimizer"))


def restore_metrics(folder: Path, model: keras.Model) -> None:
    """Give the training metrics the values of a half-done epoch; they must be built."""
    _restore(folder, model, prefixes=("metric",))


def _restore(folder: Path, model: keras.Model, *, prefixes: tuple[str, ...]) -> None:
    wanted = {
        name: variable
        for name, variable in _variables(model, model.metrics)
        if name.split("/")[0] in prefixes
    }
    with safetensors.safe_open(folder / STATE_FILE, framework="numpy") as file:
        held = {name for name in file.keys() if name.split("/")[0] in prefixes}  # noqa: SIM118
        problems = [f"{name} is not in the state" for name in sorted(wanted.keys() - held)]
        problems += [f"{name} is not in the network" for name in sorted(held - wanted.keys())]
        for name in wanted.keys() & held:
            shape = tuple(file.get_slice(name).get_shape())
            if shape != tuple(wanted[name].shape):
                problems.append(f"{name} has shape {shape}, not {tuple(wanted[name].shape)}")
        if problems:
            raise CheckpointError(
                f"the state in {folder} belongs to another network or strategy:\n  "
                + "\n  ".join(problems[:20])
                + "\n  Give the run another checkpoint_dir, or pass resume=False."
            )
        for name, variable in wanted.items():
            variable.assign(file.get_tensor(name))


def _variables(
    model: keras.Model, metrics: Sequence[keras.metrics.Metric]
) -> Iterator[tuple[str, keras.Variable]]:
    """Every variable once, under a name that is the same in each process."""
    of_metrics = [variable for metric in metrics for variable in metric.variables]
    own_metrics = [variable for metric in model.metrics for variable in metric.variables]
    metric_ids = {id(variable) for variable in own_metrics}
    # `variables`, unlike `weights`, holds the seed generators' states too.
    own = [variable for variable in model.variables if id(variable) not in metric_ids]
    optimizer_ids = {id(variable) for variable in model.optimizer.variables}
    own = [variable for variable in own if id(variable) not in optimizer_ids]
    for prefix, variables in (
        ("model", own),
        ("optimizer", model.optimizer.variables),
        ("metric", of_metrics),
    ):
        seen: set[int] = set()
        for variable in variables:
            if id(variable) not in seen:
                # By place: Keras counts up automatic names within a process.
                yield f"{prefix}/{len(seen):05d}", variable
                seen.add(id(variable))


def _contiguous(variable: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable), order="C")
