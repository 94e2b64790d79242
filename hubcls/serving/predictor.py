"""A saved classifier, ready to tell what images show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt

from hubcls import evaluation
from hubcls.classification.predictions import Prediction
from hubcls.classification.rebuilding import rebuilt
from hubcls.datasets.base import Dataset
from hubcls.errors import BundleError, ConfigError
from hubcls.evaluation.predicting import Images, predict, predict_in_batches, with_features
from hubcls.export.bundle import Bundle, load_bundle
from hubcls.inference.choosing import Inference
from hubcls.preprocessing import Preprocessing
from hubcls.writing import complete_folder

if TYPE_CHECKING:
    from hubcls.evaluation.evaluating import Evaluation

BEST_MODEL = "best_model"


def load(path: str | Path, backend: str = "auto", *, mixed_precision: str = "float32") -> Predictor:
    """A saved classifier; nothing but the folder is needed.

    Args:
        path: a bundle ("ckpt/best_model"), or the checkpoint folder of a run ("ckpt").
        backend: what computes on a CPU: "keras", "openvino" (extra `openvino`), or
            "auto", which takes OpenVINO for many images where it is installed. OpenVINO
            is used only after it gave the model's own outputs for some of the images.
        mixed_precision: "float32", or "mixed_bfloat16" for processors that are faster in it
            (those with AMX) and classes that survive its two or three digits.

    Raises:
        ConfigError: there is no such precision.
        BundleError: neither holds a classifier that this hubcls can read.
        UnknownNameError: there is no such backend.
        MissingExtraError: the backend's package is not installed.
    """
    folder = Path(path).expanduser()
    if not complete_folder(folder).is_dir():
        raise BundleError(
            f"{folder} is not a folder.\n  Give the checkpoint folder of a run, or its best_model/."
        )
    best = folder / BEST_MODEL
    bundle = load_bundle(best if complete_folder(best).is_dir() else folder)
    if mixed_precision != "float32":
        bundle = replace(bundle, model=rebuilt(bundle.model, mixed_precision))
    return Predictor(bundle, backend)


class Predictor:
    """Tells what images show; made by `hubcls.load`.

    Example:
        predictor = hubcls.load("ckpt/best_model")
        predictor.predict("rose.jpg", top_k=3)[0].class_name
    """

    def __init__(self, bundle: Bundle, backend: str = "auto") -> None:
        self.bundle = bundle
        self._backend = backend
        self._inference = Inference(with_features(bundle.model), backend)

    @property
    def model(self) -> keras.Model:
        """Images [B, H, W, 3], RGB, 0–255, to logits."""
        return self.bundle.model

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.bundle.class_names

    @property
    def preprocessing(self) -> Preprocessing:
        """What happens to every image first."""
        return self.bundle.preprocessing

    @property
    def module_name(self) -> str:
        """The module that the classifier was fine-tuned from."""
        return self.bundle.module_name

    def predict(self, images: Images, top_k: int = 1, batch_size: int = 32) -> list[Prediction]:
        """What each image shows, in the order given.

        Args:
            images: a path, a folder, an array [H, W], [H, W, C] or [N, H, W, C] of 0–255, a
                Pillow image, or a sequence of such.
            top_k: how many classes each prediction lists.
            batch_size: images at a time.

        Raises:
            DataError: an image is missing or cannot be read.
        """
        return predict(
            self._inference,
            images,
            preprocessing=self.preprocessing,
            problem=self.bundle.problem,
            top_k=top_k,
            batch_size=batch_size,
        )

    def predict_in_batches(
        self, images: Images, top_k: int = 1, batch_size: int = 32
    ) -> Iterator[tuple[list[Prediction], npt.NDArray[np.float32]]]:
        """`predict`, batch by batch as they are done; for more images than memory holds.

        Args:
            images: as for `predict`.
            top_k: how many classes each prediction lists.
            batch_size: images at a time.

        Yields:
            The predictions of a batch, in the order given, and the backbone's pooled
            features of its images, float32 [b, C].

        Raises:
            DataError: an image is missing or cannot be read; damage inside a file may show
                only when its turn comes.
        """
        return predict_in_batches(
            self._inference,
            images,
            preprocessing=self.preprocessing,
            problem=self.bundle.problem,
            top_k=top_k,
            batch_size=batch_size,
        )

    def evaluate(
        self,
        dataset: Dataset,
        phase: str = "test",
        *,
        batch_size: int = 32,
        metrics: Sequence[str] | None = None,
    ) -> Evaluation:
        """How well the classifier does on a split of a data set.

        Args:
            dataset: has the classifier's classes, in the same order.
            phase: "train", "val" or "test".
            batch_size: images at a time.
            metrics: names from `hubcls.classification.metrics.names`; None is accuracy and
                F1, where images show several classes mean average precision and F1.

        Raises:
            ConfigError: the data set has other classes, or no such split.
        """
        if dataset.info.class_names != self.class_names:
            raise ConfigError(
                f"the classes of {dataset.info.name} are not the classifier's:\n"
                f"  data set:   {_shortened(dataset.info.class_names)}\n"
                f"  classifier: {_shortened(self.class_names)}\n"
                "  Labels are numbers, so both need the same names in the same order."
            )
        usual = ("map", "f1") if self.bundle.problem.is_multi_label else ("accuracy", "f1")
        # Fetched when needed: predicting does not load the metrics.
        evaluated: Evaluation = evaluation.evaluate(
            self.model,
            dataset.split(phase),
            problem=self.bundle.problem,
            preprocessing=self.preprocessing,
            batch_size=batch_size,
            metrics=usual if metrics is None else metrics,
            phase=phase,
            backend=self._backend,
        )
        return evaluated

    def __repr__(self) -> str:
        return f"Predictor({self.module_name!r}, {len(self.class_names)} classes)"


def _shortened(names: Sequence[str], limit: int = 10) -> str:
    more = f" … ({len(names)} in all)" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
