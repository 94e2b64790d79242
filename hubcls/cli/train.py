"""`hubcls train`: the run that a config and flags ask for, and its result in a few lines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from hubcls.cli.configs import config_of
from hubcls.cli.tables import columns, fields
from hubcls.evaluation.evaluating import Evaluation
from hubcls.typed_yaml import dump


def run(arguments: argparse.Namespace) -> None:
    """Fine-tune, measure, and say where everything lies; or print the config and no more."""
    config = config_of(arguments)
    if arguments.print_config:
        print(dump(config.values()), end="")
        return
    if not config.run.use_cuda:
        # Later TensorFlow would have taken the GPU already, to build the module on.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    task = config.build_task()
    results = task.finetune_and_eval()
    print(summary(results, task.config.folder))


def summary(results: Mapping[str, Evaluation], folder: Path) -> str:
    """Scores of every split, and the files of the run."""
    rows = [["split", "images", "loss", *next(iter(results.values())).scores]]
    for phase, evaluation in results.items():
        figures = [evaluation.loss, *evaluation.scores.values()]
        rows.append([phase, str(evaluation.num_examples), *(f"{value:.4f}" for value in figures)])
    places = fields(
        [
            ("best model", f"{folder / 'best_model'}"),
            ("report", f"{folder / 'report.json'}, {folder / 'report.png'}"),
            ("curves", f"tensorboard --logdir {folder / 'visualization'}"),
            ("use it", f"hubcls predict IMAGE_OR_FOLDER --checkpoint {folder}"),
        ]
    )
    return f"{columns(rows, right=range(1, len(rows[0])))}\n\n{places}"
