"""Weights files in Keras' own formats: fetched, checked, and put into a network."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from hubcls.downloads.fetching import forget
from hubcls.errors import BundleError, ChecksumError, ConfigError, WeightsError
from hubcls.modules.sources.published import is_fetched, published_file
from hubcls.modules.sources.saved_model_layer import load_model
from hubcls.modules.spec import ModuleSpec, WeightSource


def file_of_keras(spec: ModuleSpec) -> Path:
    """The weights that keras.applications publishes, downloaded when they are not here yet.

    A file that Keras itself has fetched before is used where it lies. Hashes are those
    that Keras publishes; where there are none, those of the first download count.

    Raises:
        WeightsError: nothing is published.
        OfflineError: the file is not here, and HUBCLS_OFFLINE forbids the network.
        DownloadError: the file cannot be fetched; says what to do without.
    """
    source = spec.weights
    if source is not None and source.file is not None:
        of_keras = _keras_home() / "models" / source.file
        if of_keras.is_file() and not is_fetched(spec) and _is_as_published(of_keras, source):
            return of_keras
    path = published_file(spec)
    if source is not None and not _is_as_published(path, source):
        forget(path)
        raise ChecksumError(
            f"{source.file} from {', '.join(source.urls)} is not the published file: its md5 is "
            f"not {source.md5}. It was removed; try again, and mind who answers for that address."
        )
    return path


def fill(networks: Sequence[keras.Model], path: Path) -> keras.Model:
    """Load a file into the first of these networks that it fits.

    Args:
        networks: the largest first: with a head, without. They may share layers; then
            the largest that fits is filled, and with it all that it shares.
        path: `.weights.h5` or `.h5` with weights alone, or a `.keras` model. Of a model
            with another head, all below that head is taken.

    Returns:
        The network that the file fits.

    Raises:
        ConfigError: there is no such file.
        WeightsError: it fits none of them; says why for each.
    """
    if not path.is_file():
        raise ConfigError(f"there is no weights file {path}")
    if path.suffix not in {".h5", ".hdf5", ".keras"}:
        raise WeightsError(
            f"{path} ends in {path.suffix!r}; these weights can be .weights.h5, .h5 or .keras"
        )
    if path.suffix == ".keras":
        return _fill_from_model(networks, path)
    reasons = []
    for network in networks:
        try:
            _load_strictly(network, path)
        except (ValueError, KeyError, OSError) as error:
            reasons.append(f"as {_described(network)}: {str(error).strip().splitlines()[0]}")
        else:
            return network
    raise WeightsError(f"{path} does not fit:\n  " + "\n  ".join(reasons))


def _load_strictly(network: keras.Model, path: Path) -> None:
    """Load, and raise ValueError if a single variable was left as it was.

    Keras merely warns about some gaps, and about containers that it has gone through by
    another way already.
    """
    for weight in network.weights:
        if "float" in weight.dtype:
            weight.assign(np.full(weight.shape, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network.load_weights(path)
    gaps = [weight.path for weight in network.weights if np.isnan(np.asarray(weight)).any()]
    if gaps:
        raise ValueError(f"{len(gaps)} variables are not in the file: {', '.join(gaps[:5])} …")


def _fill_from_model(networks: Sequence[keras.Model], path: Path) -> keras.Model:
    try:
        values = load_model(path, is_compiled=False).get_weights()
    except (BundleError, ValueError, TypeError, OSError) as error:
        raise WeightsError(f"{path} cannot be read as a Keras model: {error}") from error
    shapes = [value.shape for value in values]
    for network in networks:
        wanted = [tuple(weight.shape) for weight in network.weights]
        if shapes == wanted or (network is not networks[0] and shapes[: len(wanted)] == wanted):
            network.set_weights(values[: len(wanted)])
            return network
    raise WeightsError(
        f"{path} does not fit: it holds {len(values)} arrays that start with {shapes[:3]}; "
        + "; ".join(f"{_described(network)} has {len(network.weights)}" for network in networks)
    )


def _described(network: keras.Model) -> str:
    return f"{network.name}, {network.count_params():,} parameters"


def _keras_home() -> Path:
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def _is_as_published(path: Path, source: WeightSource) -> bool:
    """Whether the file has the published hash; True where none is published."""
    algorithm = "sha256" if source.sha256 else "md5"
    expected = source.sha256 or source.md5
    if expected is None:
        return True
    with path.open("rb") as file:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == expected
