"""Our own architectures from hubcls/backbones, with weights from many publishers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from hubcls import catalogue
from hubcls.backbones import Architecture
from hubcls.errors import ConfigError
from hubcls.logs import logger
from hubcls.modules.groups import groups_by_output
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.naming import fix_automatic_names
from hubcls.modules.sources.published import published_file
from hubcls.modules.spec import ModuleSpec, formats_of
from hubcls.registry import Table
from hubcls.weights import (
    Naming,
    closest_naming,
    keras_leaves,
    leaves_of,
    load_arrays,
    read_arrays,
    without_parallel_prefix,
)
from hubcls.weights.layouts import Array
from hubcls.weights.loading import slots

_NUM_CLASSES = 1000

_ARCHITECTURES = Table(
    "native architecture",
    {
        "Inception": "hubcls.backbones.inception:Inception",
        "DenseNet": "hubcls.backbones.concatenating:DenseNet",
        "DualPath": "hubcls.backbones.concatenating:DualPath",
        "HarDNet": "hubcls.backbones.hardnet:HarDNet",
        "DarkNet": "hubcls.backbones.darknet:DarkNet",
        "InvertedResidual": "hubcls.backbones.inverted_residual:InvertedResidual",
        "ESNet": "hubcls.backbones.shuffling:ESNet",
        "ShuffleNet": "hubcls.backbones.shuffling:ShuffleNet",
        "RepVGG": "hubcls.backbones.repvgg:RepVGG",
        "Residual": "hubcls.backbones.residual:Residual",
        "DeepLayerAggregation": "hubcls.backbones.dla:DeepLayerAggregation",
        "GhostNet": "hubcls.backbones.ghost:GhostNet",
        "MultiBranch": "hubcls.backbones.multi_branch:MultiBranch",
        "RedNet": "hubcls.backbones.involution:RedNet",
        "Sequential": "hubcls.backbones.sequential:Sequential",
        "SqueezeNet": "hubcls.backbones.squeezenet:SqueezeNet",
        "PNASNet": "hubcls.backbones.pnasnet:PNASNet",
        "Xception": "hubcls.backbones.xception:Xception",
        "VisionTransformer": "hubcls.backbones.vision_transformer:VisionTransformer",
        "Twins": "hubcls.backbones.twins:Twins",
        "TransformerInTransformer": "hubcls.backbones.tnt:TransformerInTransformer",
        "Swin": "hubcls.backbones.swin:Swin",
        "Levit": "hubcls.backbones.levit:Levit",
    },
)

# A classifier that hubcls saved holds more than its backbone.
_BESIDE_THE_BACKBONE = ("head_*", "logits/*", "optimizer/*", "*/seed_generator/*")


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """A backbone of ours and, when the weights have one, its classifier.

    Args:
        spec: a module whose source is "native".
        weights: None (random), "imagenet" (the spec's published ones), or a file's path.
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.

    Raises:
        CatalogueError: the row's parameters are not the architecture's.
        ConfigError: the network cannot take images of this size.
        WeightsError: there are no published weights, or the file does not fit.
        MissingExtraError: the package with the published weights is not installed.
        DownloadError: the published weights cannot be fetched.
    """
    architecture = architecture_of(spec)
    rule = spec.preprocessing.replaced(height=height, width=width)
    image, x = normalised_input(rule)
    try:
        stages = architecture.stage_outputs(x)
    except ValueError as error:  # what Keras raises when a map gets smaller than nothing
        raise ConfigError(f"{spec.name} cannot take {height} x {width} pixels: {error}") from error
    backbone = keras.Model(image, stages[-1], name=spec.name)
    fix_automatic_names(backbone)
    groups = groups_by_output(backbone, stages)
    if weights is None:
        return Built(backbone, groups=groups)
    return Built(backbone, _load(_read(spec, weights), backbone, architecture), groups)


def architecture_of(spec: ModuleSpec) -> Architecture:
    """The numbers of a row as its builder's dataclass.

    Raises:
        CatalogueError: they are not what the dataclass wants.
        UnknownNameError: there is no such builder.
    """
    built: Architecture = catalogue.convert(
        spec.parameters, _ARCHITECTURES[spec.builder], f"the parameters of {spec.name}"
    )
    return built


def _read(spec: ModuleSpec, weights: str | Path) -> Checkpoint:
    is_published = weights == "imagenet"
    path = published_file(spec) if is_published else Path(weights)
    sha256 = spec.weights.sha256 if spec.weights and is_published else None
    arrays = without_parallel_prefix(read_arrays(path, sha256=sha256))
    is_paddles = {"pdparams", "paddle_tar"} & set(formats_of(path))
    return Checkpoint(arrays, "paddle" if is_paddles else "torch")


@dataclass(frozen=True)
class Checkpoint:
    """A file's arrays, and whose way of keeping them its format suggests."""

    arrays: Mapping[str, Array]
    framework: str


def _load(
    checkpoint: Checkpoint, backbone: keras.Model, architecture: Architecture
) -> keras.Model | None:
    """Fill the network; the classifier, when it was among the weights.

    A file without the classifier is a whole backbone all the same: people save these
    networks without, and with classifiers for their own classes.
    """
    head = head_of(backbone, architecture, _NUM_CLASSES)
    layers = [*backbone.layers, *head.layers]
    candidates = _candidates(checkpoint, architecture, layers)
    naming, arrays = closest_naming(layers, candidates)
    num_classes = _num_classes(arrays, head, naming)
    if num_classes is None:
        load_arrays(arrays, backbone.layers, naming)
        return None
    if num_classes != _NUM_CLASSES:
        logger.info("the weights' classifier is for %d classes, not ImageNet's", num_classes)
        head = head_of(backbone, architecture, num_classes)
    load_arrays(arrays, [*backbone.layers, *head.layers], naming)
    return head


def head_of(backbone: keras.Model, architecture: Architecture, num_classes: int) -> keras.Model:
    """The original classifier on the backbone's output, as a network of its own."""
    features = keras.Input(backbone.output.shape[1:], name="features")
    head = keras.Model(
        features, architecture.logits(features, num_classes), name=f"{backbone.name}_head"
    )
    fix_automatic_names(head)
    return head


def _num_classes(arrays: Mapping[str, Array], head: keras.Model, naming: Naming) -> int | None:
    """How many classes the checkpoint's classifier has; None without one."""
    wanted = slots(head.layers, naming)
    if not any(slot.key in arrays for slot in wanted):
        return None
    sizes = {
        slot.layout(arrays[slot.key], slot.shape).shape[-1]
        for slot in wanted
        if slot.shape[-1] == _NUM_CLASSES and slot.key in arrays
    }
    # Where they disagree, the matcher says so for each.
    return sizes.pop() if len(sizes) == 1 else _NUM_CLASSES


def _candidates(
    checkpoint: Checkpoint, architecture: Architecture, layers: Sequence[keras.layers.Layer]
) -> list[tuple[Naming, Mapping[str, Array]]]:
    """The checkpoint as each framework would mean it, the most probable one first.

    Transformers have the same keys in PyTorch and PaddlePaddle, and only the format of
    the file tells which way its dense kernels lie.
    """
    candidates: list[tuple[Naming, Mapping[str, Array]]] = []
    for name, rules in architecture.key_rules().items():
        naming = Naming(
            name,
            {layer.name: rules.prefix(layer.name) for layer in layers},
            leaves=leaves_of(rules.framework),
            ignored=("*.num_batches_tracked", *rules.ignored),
            factors=rules.factors,
        )
        place = 0 if rules.framework.startswith(checkpoint.framework) else len(candidates)
        candidates.insert(place, (naming, rules.prepared(checkpoint.arrays)))
    own = Naming(
        "Keras",
        {layer.name: layer.name for layer in layers},
        leaves=keras_leaves,
        ignored=_BESIDE_THE_BACKBONE,
    )
    return [*candidates, (own, checkpoint.arrays)]
