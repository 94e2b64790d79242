"""The report of a run: `report.json` for programs, `report.png` for the eye."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from hubcls.datasets.base import DatasetInfo
from hubcls.evaluation.evaluating import Evaluation, as_json
from hubcls.evaluation.figures import (
    confusion_side,
    draw_class_scores,
    draw_confusion,
    draw_curves,
    png,
)
from hubcls.evaluation.history import Value
from hubcls.version import __version__
from hubcls.writing import write_file

FORMAT = 1
JSON_FILE = "report.json"
PNG_FILE = "report.png"


@dataclass(frozen=True)
class Report:
    """Everything that is told about a run.

    Attributes:
        module: facts of the module: "name", "weights", "licence" and what else is known.
        dataset: what was learned from; images that were left out are listed in it.
        evaluations: phase → result with the best model. The figures show the last one.
        history: rows of `history.csv`.
        run: whatever else belongs in the report, as plain JSON types: strategy, seconds.
    """

    module: Mapping[str, Any]
    dataset: DatasetInfo
    evaluations: Mapping[str, Evaluation]
    history: Sequence[Mapping[str, Value]] = ()
    run: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; what is not a finite number is null."""
        dataset = dataclasses.asdict(self.dataset)
        dataset["excluded"] = [
            {"path": path, "reason": reason} for path, reason in self.dataset.excluded
        ]
        content = {
            "format_version": FORMAT,
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "environment": environment(),
            "module": self.module,
            "dataset": dataset,
            "evaluations": {name: result.as_dict() for name, result in self.evaluations.items()},
            "history": self.history,
            "run": self.run,
        }
        content_as_json: dict[str, Any] = as_json(content)
        return content_as_json


def write_report(folder: Path, report: Report) -> None:
    """Write `report.json` and `report.png`, each whole or not at all."""
    text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    write_file(folder / JSON_FILE, text + "\n")
    write_file(folder / PNG_FILE, png(report_figure(report)))


def environment() -> dict[str, Any]:
    """Versions and devices that a result depends on, as plain JSON types."""
    return {
        "hubcls": __version__,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
        "devices": [_device_name(device) for device in tf.config.list_physical_devices()],
    }


def report_figure(report: Report) -> Figure:
    """Learning curves above, confusion matrix and F1 by class of the last phase below.

    Where images show several classes, average precisions stand in the matrix's place.
    """
    evaluations = list(report.evaluations.values())
    has_curves = len(report.history) > 1
    side = confusion_side(len(evaluations[-1].per_class)) if evaluations else 0.0
    heights = [3.0] * has_curves + [side] * bool(evaluations)
    figure = Figure(figsize=(2 * max(side, 5.0), sum(heights, 0.9)), layout="constrained")
    figure.suptitle(_headline(report), fontsize=11)
    rows = iter(
        figure.subplots(len(heights), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
        if heights
        else ()
    )
    if has_curves:
        metrics = _metric_names(report.history)
        for axes, title, is_loss in zip(next(rows), ("loss", "score"), (True, False), strict=True):
            draw_curves(axes, report.history, [m for m in metrics if ("loss" in m) == is_loss])
            axes.set_ylabel(title)
    if evaluations:
        matrix, bars = next(rows)
        names = [row["class_name"] for row in evaluations[-1].per_class]
        if evaluations[-1].fitted.is_multi_label:
            draw_class_scores(matrix, evaluations[-1].per_class, "ap")
        else:
            draw_confusion(matrix, evaluations[-1].confusion, names)
        draw_class_scores(bars, evaluations[-1].per_class)
        for axes in (matrix, bars):
            axes.set_title(f"{evaluations[-1].phase}: {axes.get_title()}", fontsize=9)
    return figure


def _headline(report: Report) -> str:
    lines = [f"{report.module.get('name', 'custom network')} on {report.dataset.name}"]
    for phase, result in report.evaluations.items():
        scores = ", ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
        lines.append(f"{phase}: {scores}, loss {result.loss:.4f} ({result.num_examples} images)")
    return "\n".join(lines)


def _metric_names(history: Sequence[Mapping[str, Value]]) -> list[str]:
    metrics = [column.partition("/")[2] for row in history for column in row if "/" in column]
    return list(dict.fromkeys(metrics))


def _device_name(device: tf.config.PhysicalDevice) -> str:
    if device.device_type == "CPU":
        return f"CPU: {_processor()}"
    details = tf.config.experimental.get_device_details(device)
    return f"{device.device_type}: {details.get('device_name', device.name)}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
