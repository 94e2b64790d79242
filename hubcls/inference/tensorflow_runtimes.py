"""TensorFlow's two runtimes: Keras' own function, and a graph with the weights inside."""

from __future__ import annotations

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.classification.rebuilding import compute_dtypes
from hubcls.folding import folded_constants
from hubcls.inference.computing import Outputs


class KerasFunction:
    """The function behind `model.predict`, which Keras keeps: traced once, any batch size."""

    most_waiting = 1  # a GPU computes while the next batch is on its way

    def __init__(self, model: keras.Model) -> None:
        model.make_predict_function()
        self._model = model

    def begin(self, images: Any) -> Any:
        """Start on a batch, which a distribution strategy may have shared out."""
        return self._model.predict_function([(images,)])

    def finish(self, begun: Any) -> Outputs:
        """The outputs of a batch."""
        return as_arrays(begun)


class LayerByLayer:
    """The model's layers called one after the other, which needs no tracing."""

    most_waiting = 0

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def begin(self, images: Any) -> Any:
        """Compute a batch."""
        return self._model(images, training=False)

    def finish(self, begun: Any) -> Outputs:
        """The outputs of a batch."""
        return as_arrays(begun)


class FrozenGraph:
    """The network as a graph of constants; of no use once the weights change.

    With each BatchNorm in the convolution before it, TensorFlow computes convolution, bias and
    activation at once, which it cannot where weights are variables.
    """

    most_waiting = 1

    def __init__(self, model: keras.Model, images: tf.TensorSpec, *, folds: bool = True) -> None:
        """Trace the network.

        Args:
            model: images to one output or several.
            images: shape [None, H, W, 3] and type of a batch.
            folds: put each BatchNorm into the convolution before it, in a model in float32.
                OpenVINO does so itself, and is a tenth slower where it is done already.
        """
        trained, others = (
            [variable.numpy() for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )

        def compute(batch: tf.Tensor) -> Any:
            return model.stateless_call(trained, others, batch, training=False)[0]

        traced = tf.function(compute, input_signature=[images], autograph=False)
        # In half precision other numbers would be rounded than the model rounds.
        folds = folds and compute_dtypes(model) == {"float32"}
        with folded_constants(model) if folds else contextlib.nullcontext():
            self.function = traced.get_concrete_function()

    def begin(self, images: Any) -> Any:
        """Start on a batch."""
        return self.function(tf.convert_to_tensor(images))

    def finish(self, begun: Any) -> Outputs:
        """The outputs of a batch."""
        return as_arrays(begun)


def as_arrays(outputs: Any) -> Outputs:
    """A network's tensor or tensors, as float32 arrays."""
    tensors = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [np.asarray(tensor, dtype=np.float32) for tensor in tensors]
