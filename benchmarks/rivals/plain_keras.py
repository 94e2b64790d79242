"""Keras without more: the steps of its transfer-learning guide.

`image_dataset_from_directory`, kept decoded in memory, augmentation layers mapped over it,
a frozen base called with training=False, and `fit`. The base is the very network that hubcls
has, saved with Keras' own layers alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from answering import (
    Figures,
    Settings,
    Watch,
    accuracy_of,
    answer,
    milliseconds,
    rates,
    write_classes,
)

SIZE = (224, 224)


class Marks(keras.callbacks.Callback):
    """Looks at the watch after the steps that warm up, and after the last."""

    def __init__(self, watch: Watch, settings: Settings) -> None:
        super().__init__()
        self._watch, self._settings = watch, settings
        self._steps = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step."""
        self._steps += 1
        if self._steps >= self._settings["warm_up_steps"]:
            self._watch.mark(self._steps * self._settings["batch_size"])


def images(
    settings: Settings, split: str, size: tuple[int, int] = SIZE
) -> tuple[tf.data.Dataset, list[str]]:
    """Decoded once, then kept in memory; and the class names."""
    found = keras.utils.image_dataset_from_directory(
        Path(settings["photographs"]) / split,
        image_size=size,
        batch_size=settings["batch_size"],
        shuffle=split == "train",
        seed=0,
        verbose=False,
    )
    return found.cache(), found.class_names


def augmented(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The guide's layers: flip and rotation."""
    layers = keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)]
    )
    return batches.map(
        lambda pixels, labels: (layers(pixels, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).prefetch(tf.data.AUTOTUNE)


def classifier(base: keras.Model, num_classes: int) -> keras.Model:
    """Pooling, dropout and a dense layer on a base in inference mode, as in the guide."""
    inputs = keras.Input((*SIZE, 3))
    features = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    logits = keras.layers.Dense(num_classes, dtype="float32")(keras.layers.Dropout(0.2)(features))
    return keras.Model(inputs, logits)


def compiled(model: keras.Model, settings: Settings) -> keras.Model:
    """With Adam and cross-entropy."""
    model.compile(
        optimizer=keras.optimizers.Adam(settings["learning_rate"]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def set_precision(settings: Settings) -> None:
    """The policy that layers are made with from now on."""
    keras.config.set_dtype_policy("mixed_bfloat16" if settings["bfloat16"] else "float32")


def base_of(settings: Settings) -> keras.Model:
    """The network without a head: pixels 0–255 to a feature map."""
    kept = keras.models.load_model(Path(settings["prepared"]) / f"{settings['network']}.keras")
    set_precision(settings)
    return in_policy(kept) if settings["bfloat16"] else kept


def in_policy(model: keras.Model) -> keras.Model:
    """A copy whose layers compute in the policy that is set; pixels are normalised in float32."""

    def made(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Normalization):
            config.pop("dtype", None)
        return layer.__class__.from_config(config)

    copy = keras.models.clone_model(model, clone_function=made)
    copy.set_weights(model.get_weights())
    return copy


def frozen(settings: Settings, build: Any = None) -> Figures:
    """T1: the head trains for some epochs; one look at the validation images at the end."""
    watch = Watch()
    train, class_names = images(settings, "train")
    if build is None:
        base = base_of(settings)
        base.trainable = False
        model = compiled(classifier(base, len(class_names)), settings)
    else:
        model = build(settings, len(class_names))
    model.fit(augmented(train), epochs=settings["epochs"], verbose=0)
    accuracy = model.evaluate(images(settings, "val")[0], verbose=0, return_dict=True)["accuracy"]
    return {"value": watch.seconds, "accuracy": accuracy}


def all_layers(settings: Settings, build: Any = None) -> Figures:
    """T2: one epoch; "freezes_batch_norm" freezes statistics, gamma and beta.

    Where they are not frozen they all train: `fit` hands training=True on to the base, over the
    training=False that it was called with (keras 3.15, issue 20285).
    """
    train, class_names = images(settings, "train")
    if build is None:
        base = base_of(settings)
        base.trainable = True
        for layer in base.layers:
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = not (is_norm and settings.get("freezes_batch_norm"))
        model = compiled(classifier(base, len(class_names)), settings)
    else:
        model = build(settings, len(class_names))
    watch = Watch()
    model.fit(augmented(train), epochs=1, verbose=0, callbacks=[Marks(watch, settings)])
    accuracy = None
    if settings["evaluates"]:
        val = images(settings, "val")[0]
        accuracy = model.evaluate(val, verbose=0, return_dict=True)["accuracy"]
    return {"value": watch.rate(), "accuracy": accuracy}


def stream(settings: Settings) -> Figures:
    """T3: crops of 224 from 256 pixels (Keras has no random resized crop), flips, colours."""
    found = keras.utils.image_dataset_from_directory(
        settings["folder"],
        image_size=(256, 256),
        batch_size=settings["batch_size"],
        seed=0,
        verbose=False,
    )
    layers = keras.Sequential(
        [
            keras.layers.RandomCrop(*SIZE),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomColorJitter(
                value_range=(0, 255),
                brightness_factor=0.4,
                contrast_factor=0.4,
                saturation_factor=(0.3, 0.7),
                hue_factor=0.1,
            ),
        ]
    )
    kept = found.cache() if settings["cached"] else found
    batches = kept.map(
        lambda pixels, labels: (layers(pixels, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    ).prefetch(tf.data.AUTOTUNE)
    return rates(lambda _: batches, settings)


def trained(settings: Settings) -> tuple[keras.Model, list[str]]:
    """The network with the head that hubcls has trained."""
    head = np.load(Path(settings["prepared"]) / "head.npz")
    model = classifier(base_of(settings), len(head["bias"]))
    model.layers[-1].set_weights([head["kernel"], head["bias"]])
    return model, [str(name) for name in head["class_names"]]


def folder(settings: Settings) -> Figures:
    """T4: every image of a folder into a CSV; the whole process counts."""
    model, class_names = trained(settings)
    found = keras.utils.image_dataset_from_directory(
        settings["folder"],
        labels=None,
        image_size=SIZE,
        batch_size=settings["batch_size"],
        shuffle=False,
        verbose=False,
    )
    classes = model.predict(found.prefetch(tf.data.AUTOTUNE), verbose=0).argmax(-1)
    out = str(Path(settings["scratch"]) / "classes.csv")
    write_classes(out, found.file_paths, [class_names[number] for number in classes])
    return {"accuracy": accuracy_of(out)}


def single(settings: Settings) -> Figures:
    """T4: one photograph by `model.predict`."""
    model, class_names = trained(settings)

    def predict(path: str) -> str:
        pixels = keras.utils.img_to_array(keras.utils.load_img(path, target_size=SIZE))
        return class_names[int(model.predict(pixels[None], verbose=0).argmax())]

    return milliseconds(predict, settings)


def features(settings: Settings) -> Figures:
    """How far the pooled features of some photographs are from hubcls' own."""
    kept = np.load(Path(settings["prepared"]) / "features.npz")
    model = classifier(base_of(settings), 2)
    pooled = keras.Model(model.input, model.layers[-3].output)
    return {
        "value": float(np.abs(pooled.predict(kept["pixels"], verbose=0) - kept["features"]).max())
    }


if __name__ == "__main__":
    answer(
        {
            "frozen": frozen,
            "all_layers": all_layers,
            "stream": stream,
            "folder": folder,
            "single": single,
            "features": features,
        },
        ("tensorflow", "keras"),
    )
