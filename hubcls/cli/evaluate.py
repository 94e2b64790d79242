"""`hubcls eval`: a saved classifier measured on a data set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from hubcls.cli.configs import config_of
from hubcls.cli.tables import columns, fields
from hubcls.config.building import Config
from hubcls.evaluation.evaluating import Evaluation
from hubcls.serving.predictor import load


def run(arguments: argparse.Namespace) -> None:
    """Print the scores, and a line for each class."""
    config = config_of(arguments)
    predictor = load(arguments.checkpoint)
    evaluation = predictor.evaluate(
        config.open_dataset(),
        arguments.phase,
        metrics=_metrics(config),
        batch_size=config.run.batch_size,
    )
    if arguments.json:
        print(json.dumps(evaluation.as_dict(), allow_nan=False))
    else:
        print(_report(evaluation))


def _metrics(config: Config) -> Sequence[str] | None:
    wanted = config.calls["task"].arguments.get("metrics_choices") or "default"
    if isinstance(wanted, str):
        return None if wanted == "default" else [wanted]
    return list(wanted)


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
