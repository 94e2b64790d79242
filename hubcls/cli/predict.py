"""`hubcls predict`: class names and probabilities for image files."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hubcls.classification.predictions import Prediction
from hubcls.cli.parsing import given
from hubcls.errors import ConfigError
from hubcls.evaluation.feature_file import Append, feature_file
from hubcls.evaluation.predicting import listed_images
from hubcls.serving.predictor import load


def run(arguments: argparse.Namespace) -> None:
    """Print what each image shows, batch by batch, in the form that was asked for.

    Raises:
        ConfigError: no image is given.
    """
    images = listed_images([*arguments.images, *arguments.input])
    if not images:
        raise ConfigError("which images? hubcls predict IMAGE_OR_FOLDER … --checkpoint FOLDER")
    predictor = load(arguments.checkpoint, **given(arguments, ["backend", "mixed_precision"]))
    shows_several = predictor.bundle.problem.is_multi_label
    in_words = _as_labels if shows_several else _as_line
    form = _as_json if arguments.json else _as_csv if arguments.csv else in_words
    with contextlib.ExitStack() as stack:
        save: Append = _nothing
        if hasattr(arguments, "save_features"):
            file = Path(arguments.save_features).expanduser()
            save = stack.enter_context(feature_file(file, len(images)))
        batches = predictor.predict_in_batches(
            images, top_k=arguments.top_k, **given(arguments, ["batch_size"])
        )
        if arguments.csv:
            print("source,rank,class_name,probability")
        for predictions, features in batches:
            print("".join(map(form, predictions)), end="", flush=True)
            save([prediction.source for prediction in predictions], features)


def _nothing(names: Sequence[str], features: npt.NDArray[np.float32]) -> None:
    """What is done with features that nobody asked for."""


def _as_json(prediction: Prediction) -> str:
    return f"{json.dumps(prediction.as_dict())}\n"


def _as_line(prediction: Prediction) -> str:
    answers = ", ".join(f"{name} {probability:.4f}" for name, probability in prediction.top)
    return f"{prediction.source}: {answers}\n"


def _as_labels(prediction: Prediction) -> str:
    """Every class that reaches its threshold."""
    answers = ", ".join(f"{name} {probability:.4f}" for name, probability in prediction.labels)
    return f"{prediction.source}: {answers or '(none)'}\n"


def _as_csv(prediction: Prediction) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for rank, (name, probability) in enumerate(prediction.top, 1):
        writer.writerow([prediction.source, rank, name, f"{probability:.6f}"])
    return text.getvalue()
