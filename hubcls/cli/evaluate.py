"""`hubcls eval`: a saved classifier measured on a data set."""

from __future__ import annotations

import argparse
import json

from hubcls.cli.parsing import given
from hubcls.cli.tables import columns, fields
from hubcls.datasets.opening import open_dataset
from hubcls.evaluation.evaluating import Evaluation
from hubcls.serving.predictor import load


def run(arguments: argparse.Namespace) -> None:
    """Print the scores, and a line for each class."""
    predictor = load(arguments.checkpoint)
    dataset = open_dataset(arguments.dataset, **given(arguments, ["on_error"]))
    evaluation = predictor.evaluate(
        dataset,
        arguments.phase,
        **given(arguments, ["batch_size", "metrics"]),
    )
    if arguments.json:
        print(json.dumps(evaluation.as_dict(), allow_nan=False))
    else:
        print(_report(evaluation))


def _report(evaluation: Evaluation) -> str:
    scores = fields(
        [
            ("split", evaluation.phase),
            ("images", str(evaluation.num_examples)),
            ("loss", f"{evaluation.loss:.4f}"),
            *((name, f"{value:.4f}") for name, value in evaluation.scores.items()),
            ("images/s", f"{evaluation.images_per_second:.1f}"),
        ]
    )
    heading = list(evaluation.per_class[0])
    rows = [[_cell(row[name]) for name in heading] for row in evaluation.per_class]
    return f"{scores}\n\n{columns([heading, *rows], right=range(1, len(heading)))}"


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
