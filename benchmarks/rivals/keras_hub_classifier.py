"""KerasHub's `ImageClassifier.fit`, images and augmentation as its guide has them.

Its EfficientNetBackbone takes the arguments of EfficientNet-Lite0 and hubcls' weights in
their order; it pads strided convolutions evenly where TensorFlow's network has "same", so
its features are those of timm's efficientnet_lite0, not of tf_efficientnet_lite0.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import keras_hub
import numpy as np
import plain_keras
from answering import Figures, Settings, answer
from plain_keras import SIZE, compiled, set_precision

LITE0 = {
    "stackwise_width_coefficients": [1.0] * 7,
    "stackwise_depth_coefficients": [1.0] * 7,
    "stackwise_kernel_sizes": [3, 3, 5, 3, 5, 5, 3],
    "stackwise_num_repeats": [1, 2, 2, 3, 3, 4, 1],
    "stackwise_input_filters": [32, 16, 24, 40, 80, 112, 192],
    "stackwise_output_filters": [16, 24, 40, 80, 112, 192, 320],
    "stackwise_expansion_ratios": [1, 6, 6, 6, 6, 6, 6],
    "stackwise_squeeze_and_excite_ratios": [0] * 7,
    "stackwise_strides": [1, 2, 2, 2, 1, 2, 1],
    "stackwise_block_types": ["v1"] * 7,
    "activation": "relu6",
    "min_depth": None,
    "use_depth_divisor_as_min_depth": True,
    "cap_round_filter_decrease": True,
    "batch_norm_momentum": 0.99,
    "batch_norm_epsilon": 1e-3,
    "dropout": 0,
}
RESNET50 = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128, 256, 512],
    "stackwise_num_blocks": [3, 4, 6, 3],
    "stackwise_num_strides": [1, 2, 2, 2],
    "block_type": "bottleneck_block",
}


def backbone(settings: Settings) -> keras.Model:
    """Lite0 with hubcls' weights, or ResNet-50 with random ones."""
    if settings["network"] != "lite0":
        return keras_hub.models.ResNetBackbone(**RESNET50, image_shape=(*SIZE, 3))
    found = keras_hub.models.EfficientNetBackbone(**LITE0, input_shape=(*SIZE, 3))
    kept = np.load(Path(settings["prepared"]) / "lite0.npz")
    found.set_weights([kept[name] for name in kept.files])
    return found


def built(settings: Settings, num_classes: int) -> keras.Model:
    """The classifier with a preprocessor that normalises as hubcls' network does."""
    set_precision(settings)
    body = backbone(settings)
    if settings["task"] == "frozen":
        body.trainable = False
    family = "EfficientNet" if settings["network"] == "lite0" else "ResNet"
    converter = getattr(keras_hub.layers, f"{family}ImageConverter")(
        image_size=SIZE, scale=1 / 128, offset=-127 / 128
    )
    preprocessor = getattr(keras_hub.models, f"{family}ImageClassifierPreprocessor")(converter)
    model = getattr(keras_hub.models, f"{family}ImageClassifier")(
        backbone=body, num_classes=num_classes, preprocessor=preprocessor
    )
    return compiled(model, settings)


def frozen(settings: Settings) -> Figures:
    """T1."""
    return plain_keras.frozen(settings, built)


def all_layers(settings: Settings) -> Figures:
    """T2: every layer trains, BatchNorm with its batches' statistics, as `fit` has it."""
    return plain_keras.all_layers(settings, built)


def features(settings: Settings) -> Figures:
    """How far the pooled features of some photographs are from hubcls' own."""
    kept = np.load(Path(settings["prepared"]) / "features.npz")
    pixels = (kept["pixels"].astype(np.float32) - 127) / 128
    pooled = backbone(settings).predict(pixels, verbose=0).mean((1, 2))
    return {"value": float(np.abs(pooled - kept["features"]).max())}


if __name__ == "__main__":
    answer(
        {"frozen": frozen, "all_layers": all_layers, "features": features},
        ("tensorflow", "keras", "keras-hub"),
    )
