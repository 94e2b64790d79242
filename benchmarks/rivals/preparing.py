"""What all contestants start from: one set of weights, one trained head, in neutral files.

`lite0.npz` has the weights of EfficientNet-Lite0 under timm's names; `lite0.keras` and
`resnet50.keras` the networks in Keras' own layers; `checkpoint_224/` a classifier that hubcls
has trained, `head.npz` its last layer, `checkpoint_64/` one for small images; `features.npz`
photographs and their pooled features.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from answering import Figures, Settings, answer
from photographs import in_turn, pixels_of

import hubcls
from hubcls.backbones.layers import ResidualSum
from hubcls.evaluation.report import environment
from hubcls.modules.normalization import InputNormalization
from hubcls.reader import ImageClassificationReader

LITE0, RESNET50 = "efficientnet_lite0_imagenet", "resnet50_imagenet"
NUM_COMPARED = 16


def in_plain_layers(backbone: keras.Model) -> keras.Model:
    """The same network without layers of hubcls."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, ResidualSum):
            return keras.layers.Add(name=layer.name)
        if isinstance(layer, InputNormalization):
            mean, std = 255 * np.array(layer.mean), 255 * np.array(layer.std)
            return keras.layers.Normalization(mean=mean.tolist(), variance=(std**2).tolist())
        if not type(layer).__module__.startswith("keras."):
            raise TypeError(f"{layer.name} is a {type(layer)}, which plain Keras cannot load")
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(backbone, clone_function=plain)
    for layer in copy.layers:
        if layer.weights and not isinstance(layer, keras.layers.Normalization):
            layer.set_weights(backbone.get_layer(layer.name).get_weights())
    return copy


def prepare(settings: Settings) -> Figures:
    """Write everything into the folder "prepared"."""
    folder = Path(settings["prepared"])
    backbone = hubcls.Module(name=LITE0).backbone
    in_plain_layers(backbone).save(folder / "lite0.keras")
    in_plain_layers(hubcls.Module(name=RESNET50, weights=None).backbone).save(
        folder / "resnet50.keras"
    )
    names = {weight.path: keras.ops.convert_to_numpy(weight) for weight in backbone.weights}
    np.savez(folder / "lite0.npz", **names)
    paths = itertools.islice(in_turn(Path(settings["photographs"])), NUM_COMPARED)
    pixels = np.stack([pixels_of(path, 224) for path in paths])
    pooled = backbone.predict(pixels.astype(np.float32), verbose=0).mean((1, 2))
    np.savez(folder / "features.npz", pixels=pixels, features=pooled)
    trained(settings, folder, settings["small_side"])
    task, accuracy = trained(settings, folder, 224)
    kernel, bias = task.classifier.layers[-1].get_weights()
    names = task.ingredients.dataset.info.class_names
    np.savez(folder / "head.npz", kernel=kernel, bias=bias, class_names=names)
    largest = float(pooled.max())
    return {"accuracy": accuracy, "largest": largest, "environment": environment()}


def trained(
    settings: Settings, folder: Path, side: int
) -> tuple[hubcls.ImageClassifierTask, float]:
    """A run that solves the head on the frozen body, and its accuracy on validation."""
    place = folder / f"checkpoint_{side}"
    shutil.rmtree(place, ignore_errors=True)
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name=LITE0, input_size=side),
        data_reader=ImageClassificationReader(
            dataset=hubcls.datasets.ImageFolder(settings["photographs"]), resize="stretch"
        ),
        config=hubcls.RunConfig(checkpoint_dir=place, num_epoch=0),
    )
    found = task.finetune_and_eval()
    return task, float(found["val"].scores["acc"])


if __name__ == "__main__":
    answer({"prepare": prepare}, ("tensorflow", "keras"))
