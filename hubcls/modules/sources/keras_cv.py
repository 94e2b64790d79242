"""Backbones of keras-cv, built by their constructors; the library is archived since 2024."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from hubcls.errors import MissingExtraError, WeightsError
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.flattening import laid_open, one_group
from hubcls.modules.sources.keras_weights import fill
from hubcls.modules.sources.naming import fix_automatic_names
from hubcls.modules.spec import ModuleSpec


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """A network of keras-cv that takes RGB pixels 0–255.

    Args:
        spec: a module whose source is "keras_cv"; its builder is a class of
            keras_cv.models, its parameters are the constructor's.
        weights: None (random), or the path of a `.weights.h5`, `.h5` or `.keras` file.
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.

    Raises:
        MissingExtraError: keras_cv is not installed.
        WeightsError: published weights are wanted, or the file does not fit.
    """
    if weights == "imagenet":
        raise WeightsError(
            f"{spec.name} has no published weights that hubcls can check: keras-cv is archived, "
            "and its presets lie on Kaggle without hashes.\n"
            "  Pass weights=None to start from random ones, or the path of a file; or take a "
            "module of the same architecture: hubcls modules search "
            f"{spec.family.removeprefix('keras_cv_')}"
        )
    builder = getattr(_keras_cv(spec).models, spec.builder)
    network = builder(include_rescaling=False, input_shape=(height, width, 3), **spec.parameters)
    fix_automatic_names(network)
    image, normalised = normalised_input(spec.preprocessing.replaced(height=height, width=width))
    backbone = keras.Model(image, laid_open(network, normalised), name=spec.name)
    fix_automatic_names(backbone)
    if weights is not None:
        fill([backbone], Path(weights))
    return Built(backbone, groups=one_group(backbone))


def _keras_cv(spec: ModuleSpec) -> Any:
    try:
        import keras_cv
    except ImportError:
        raise MissingExtraError(
            "keras_cv", extra="keras-cv", purpose=f"the module {spec.name}"
        ) from None
    return keras_cv
