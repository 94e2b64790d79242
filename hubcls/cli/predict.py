"""`hubcls predict`: class names and probabilities for image files."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Sequence

from hubcls.classification.predictions import Prediction
from hubcls.cli.parsing import given
from hubcls.serving.predictor import load


def run(arguments: argparse.Namespace) -> None:
    """Print what each image shows, in the form that was asked for."""
    predictor = load(arguments.checkpoint)
    predictions = predictor.predict(
        arguments.images, top_k=arguments.top_k, **given(arguments, ["batch_size"])
    )
    print(_formatted(predictions, arguments), end="")


def _formatted(predictions: Sequence[Prediction], arguments: argparse.Namespace) -> str:
    if arguments.json:
        return "".join(f"{json.dumps(prediction.as_dict())}\n" for prediction in predictions)
    if arguments.csv:
        return _as_csv(predictions)
    return "".join(f"{_as_line(prediction)}\n" for prediction in predictions)


def _as_line(prediction: Prediction) -> str:
    answers = ", ".join(f"{name} {probability:.4f}" for name, probability in prediction.top)
    return f"{prediction.source}: {answers}"


def _as_csv(predictions: Sequence[Prediction]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "rank", "class_name", "probability"])
    for prediction in predictions:
        for rank, (name, probability) in enumerate(prediction.top, 1):
            writer.writerow([prediction.source, rank, name, f"{probability:.6f}"])
    return text.getvalue()
