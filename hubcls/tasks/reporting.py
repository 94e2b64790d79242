"""What a run leaves for its reader: TensorBoard's pages, history.csv and the reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hubcls.evaluation.evaluating import Evaluation
from hubcls.evaluation.report import Report, write_report
from hubcls.evaluation.visualization import Visualization
from hubcls.tasks.assembling import Assembly
from hubcls.tasks.describing import as_table
from hubcls.tasks.ingredients import Ingredients
from hubcls.tasks.run_folder import RunFolder

_SAMPLES = 16


def show_config_and_samples(
    visualization: Visualization,
    ingredients: Ingredients,
    assembly: Assembly,
    config: Mapping[str, Any],
) -> None:
    """Put the configuration and the first training images, as the network sees them, up."""
    visualization.text("config", as_table(config), step=assembly.progress.step)
    for images, targets in assembly.stream.batches(assembly.progress.step, 1).take(1):
        names = np.array(ingredients.problem.class_names)
        visualization.images(
            "train/samples",
            images.numpy()[:_SAMPLES],
            [", ".join(names[target > 0]) for target in targets.numpy()[:_SAMPLES]],
            step=assembly.progress.step,
        )


def write_reports(
    folder: RunFolder,
    visualization: Visualization,
    ingredients: Ingredients,
    assembly: Assembly,
    results: Mapping[str, Evaluation],
) -> None:
    """Write history.csv, report.json, report.png and the final TensorBoard pages."""
    progress = assembly.progress
    for phase, evaluation in results.items():
        if not ingredients.problem.is_multi_label:
            visualization.confusion_matrix(
                evaluation.confusion,
                ingredients.problem.class_names,
                step=progress.step,
                tag=f"{phase}/confusion_matrix",
            )
        for name, value in {"loss": evaluation.loss, **evaluation.scores}.items():
            visualization.scalar(f"{phase}/best_model_{name}", value, progress.step)
    visualization.flush()
    report = Report(
        module=ingredients.module,
        dataset=ingredients.dataset.info,
        evaluations=results,
        history=progress.history,
        run={
            "steps": progress.step,
            "seconds": round(progress.seconds, 1),
            "stop_reason": progress.stop_reason,
        },
    )
    write_report(folder.folder, report)
