"""Modules from TensorFlow Hub, and any other SavedModel that takes images."""

from __future__ import annotations

import hashlib
import importlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from hubcls.errors import ConfigError, DownloadError, OfflineError
from hubcls.home import is_offline, modules_home
from hubcls.modules.groups import LayerGroup
from hubcls.modules.normalization import normalised_input
from hubcls.modules.sources.built import Built
from hubcls.modules.sources.saved_model_interface import open_saved_model
from hubcls.modules.sources.saved_model_layer import SavedModelLayer
from hubcls.modules.spec import InputRule, ModuleSpec, Paper

_LAYER_NAME = "saved_model"
_DEFAULT_SIZE = 224
# TensorFlow Hub's common signature for images: RGB, 0–1, of the size in the signature.
_IMAGE_MODULE = InputRule(std=(1.0, 1.0, 1.0))


def spec_of(
    handle: str,
    *,
    rule: InputRule = _IMAGE_MODULE,
    signature: str | None = None,
    output_key: str | None = None,
) -> ModuleSpec:
    """What can be known about a SavedModel by looking at it.

    Its input size is the one of its signature, or 224 where that leaves the size open.

    Args:
        handle: an address of TensorFlow Hub, or the path of a SavedModel folder.
        rule: how images must be normalised and resized; a SavedModel does not say it.
        signature: the signature to call, where the choice is not clear.
        output_key: the output to take, where there are several.

    Raises:
        ConfigError: there is no SavedModel, or none that takes images.
        DownloadError: the address cannot be reached.
    """
    interface = open_saved_model(resolve(handle), signature=signature, output_key=output_key)
    shape = interface.input_spec.shape
    sides = [None, None] if shape.rank is None else shape.as_list()[1:3]
    height, width = (side or _DEFAULT_SIZE for side in sides)
    return ModuleSpec(
        name=handle,
        family="tensorflow_hub",
        summary=f"the SavedModel {handle}",
        source="tensorflow_hub",
        builder=handle,
        preprocessing=rule.sized(height, width),
        paper=Paper(title="unknown", year=0),
        licence="unknown",
        parameters={"signature": signature, "output_key": output_key},
        class_names=None,
        min_size=1,
    )


def build(spec: ModuleSpec, *, weights: str | Path | None, height: int, width: int) -> Built:
    """The SavedModel on normalised images; all of its variables can train.

    Raises:
        ConfigError: other weights than its own are wanted, it takes images of another
            size, or its output is no feature map and no feature vector.
        DownloadError: the address cannot be reached.
    """
    if weights != "imagenet":
        raise ConfigError(
            f"a SavedModel has only the weights that it was saved with, so {spec.name} cannot "
            f"take weights={weights!r}; leave the argument out"
        )
    image, normalised = normalised_input(spec.preprocessing.replaced(height=height, width=width))
    layer = SavedModelLayer(resolve(spec.builder), name=_LAYER_NAME, **spec.parameters)
    features = layer(normalised)
    if len(features.shape) not in (2, 4) or features.shape[-1] is None:
        raise ConfigError(
            f"the output of {spec.name} has the shape {features.shape}, which is neither a "
            "feature map [B, h, w, C] nor a feature vector [B, C].\n"
            "  Choose another output with output_key= or another signature with signature=."
        )
    backbone = keras.Model(image, features, name="backbone")
    return Built(backbone, groups=(LayerGroup(_LAYER_NAME, (_LAYER_NAME,), _LAYER_NAME),))


def resolve(handle: str) -> Path:
    """The folder of a SavedModel; what has an address is downloaded once.

    It goes to TFHUB_CACHE_DIR if that is set, else to `tensorflow_hub` in hubcls' own
    folder of modules.

    Raises:
        ConfigError: the path does not exist.
        OfflineError: the address was never downloaded, and HUBCLS_OFFLINE forbids it.
        DownloadError: the address cannot be reached, or gives no SavedModel.
    """
    if "://" not in handle:
        return _existing(Path(handle).expanduser())
    cache = Path(os.environ.get("TFHUB_CACHE_DIR") or modules_home() / "tensorflow_hub")
    # tensorflow_hub's own name for the folder; its import takes seconds, as it imports Keras 2.
    folder = cache / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
    if (folder / "saved_model.pb").is_file():
        return folder
    if is_offline():
        raise OfflineError(
            f"{handle} is not in {cache}, and HUBCLS_OFFLINE forbids the network.\n"
            f"  {_by_hand(handle)}"
        )
    return _download(handle, cache)


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder}.\n"
            "  A handle is the path of a SavedModel folder or an address such as "
            "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5."
        )
    return folder.resolve()


def _download(handle: str, cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    tensorflow_hub = importlib.import_module("tensorflow_hub")
    try:
        with _cache_folder(cache):
            return Path(tensorflow_hub.resolve(handle))
    except (OSError, ValueError, tarfile.TarError, tf.errors.OpError) as error:
        raise DownloadError(
            f"{handle} could not be fetched: {error}\n  {_by_hand(handle)}"
        ) from error


@contextmanager
def _cache_folder(cache: Path) -> Iterator[None]:
    before = os.environ.get("TFHUB_CACHE_DIR")
    os.environ["TFHUB_CACHE_DIR"] = str(cache)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TFHUB_CACHE_DIR"]
        else:
            os.environ["TFHUB_CACHE_DIR"] = before


def _by_hand(handle: str) -> str:
    return (
        "Download it elsewhere (open "
        f"{handle}?tf-hub-format=compressed), unpack it, and give the folder's path as handle."
    )
