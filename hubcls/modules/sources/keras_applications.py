"""Modules from keras.applications, with their own preprocessing turned into ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from hubcls.errors import WeightsError
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.keras_weights import file_of_keras, fill
from hubcls.modules.sources.naming import fix_automatic_names
from hubcls.modules.spec import ModuleSpec
from hubcls.preprocessing import Preprocessing

# Their heads read the flattened feature map, so they exist at the published size only.
_FLATTENING = frozenset({"VGG16", "VGG19"})


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """A network of keras.applications that takes RGB pixels 0–255.

    Args:
        spec: a module whose source is "keras_applications".
        weights: None (random), "imagenet" (published), or the path of a `.h5`,
            `.weights.h5` or `.keras` file, with or without a head.
        height: rows of the input, in pixels.
        width: columns of the input, in pixels.

    Raises:
        WeightsError: the file does not fit.
        DownloadError: the published weights cannot be fetched.
    """
    own = spec.preprocessing
    asked = own.replaced(height=height, width=width)
    if spec.builder in _FLATTENING and (weights is None or asked != own):
        return Built(_flattening_backbone(spec, weights, asked))
    whole = _network(spec, asked, with_head=True)
    features = _features(whole, spec)
    inner = keras.Model(whole.input, features, name=spec.name)
    backbone = _without_normalization(inner)
    if weights is None:
        return Built(backbone)
    path = file_of_keras(spec) if weights == "imagenet" else Path(weights)
    networks = [whole, inner] if backbone is inner else [whole, inner, backbone]
    filled = fill(networks, path)
    if filled is not backbone and backbone is not inner:
        _check_normalization(whole, spec, path)
        _copy_weights(inner, backbone)
    if filled is not whole:
        return Built(backbone)
    return Built(backbone, keras.Model(features, whole.output, name=f"{spec.name}_head"))


def _network(spec: ModuleSpec, preprocessing: Preprocessing, *, with_head: bool) -> keras.Model:
    """The network of keras.applications on our normalised input, with random weights."""
    image, normalised = normalised_input(preprocessing)
    options: dict[str, Any] = dict(spec.parameters)
    if with_head:
        options["classifier_activation"] = None
    builder = getattr(keras.applications, spec.builder)
    built = builder(weights=None, include_top=with_head, input_tensor=normalised, **options)
    network = keras.Model(image, built.output, name=spec.name)
    fix_automatic_names(network)
    return network


def _flattening_backbone(
    spec: ModuleSpec, weights: str | Path | None, preprocessing: Preprocessing
) -> keras.Model:
    backbone = _network(spec, preprocessing, with_head=False)
    if weights is not None:
        own = spec.preprocessing
        loaded = build(spec, weights=weights, height=own.height, width=own.width)
        backbone.set_weights(loaded.backbone.get_weights())
    return backbone


def _features(whole: keras.Model, spec: ModuleSpec) -> Any:
    """The tensor that the head starts from, as `include_top=False` would give it."""
    if "pooling" in spec.parameters:
        return whole.layers[-1].input
    ends = [
        layer
        for layer in whole.layers
        if isinstance(layer, (keras.layers.GlobalAveragePooling2D, keras.layers.Flatten))
    ]
    pools = [layer for layer in ends if isinstance(layer, keras.layers.GlobalAveragePooling2D)]
    return (pools or ends)[-1].input


def _without_normalization(network: keras.Model) -> keras.Model:
    """The network without Keras' own normalisation, which EfficientNet cannot be built without.

    Its statistics are variables that neither `set_weights` nor a rebuilt model takes over
    (keras-team/keras#20147), so they stand in our first layer instead, where nothing can
    lose them.
    """
    normalization = _inner_normalization(network)
    if normalization is None:
        return network
    skipped = {normalization.name}
    skipped |= {layer.name for layer in network.layers if isinstance(layer, keras.layers.Rescaling)}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in skipped else layer(*args, **kwargs)

    bare = keras.models.clone_model(network, call_function=call)
    _copy_weights(network, bare)
    return bare


def _copy_weights(source: keras.Model, target: keras.Model) -> None:
    for layer in target.layers:
        layer.set_weights(source.get_layer(layer.name).get_weights())


def _inner_normalization(network: keras.Model) -> Any:
    found = [layer for layer in network.layers if isinstance(layer, keras.layers.Normalization)]
    return found[0] if found else None


def _check_normalization(whole: keras.Model, spec: ModuleSpec, path: Path) -> None:
    """Refuse weights that were trained on pixels normalised otherwise.

    The published files hold the mean and, in the place of the variance, the standard
    deviation (tensorflow/tensorflow#49930).
    """
    mean, variance = (np.ravel(value) for value in _inner_normalization(whole).get_weights()[:2])
    own = spec.preprocessing
    if np.allclose(mean, own.mean, atol=1e-3) and np.allclose(variance, own.std, atol=1e-3):
        return
    raise WeightsError(
        f"{path} normalises pixels by mean {mean.tolist()} and variance {variance.tolist()}, "
        f"{spec.name} by mean {list(own.mean)} and standard deviation {list(own.std)}."
    )
