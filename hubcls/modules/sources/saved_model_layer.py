"""A SavedModel as a Keras layer that trains, freezes, and travels inside a .keras file.

`keras.layers.TFSMLayer` keeps only a path and trains with no optimizer that has slots;
`tensorflow_hub.KerasLayer` is for Keras 2. Here Keras adopts the SavedModel's variables.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from hubcls.backbones import LAYERS
from hubcls.errors import ConfigError
from hubcls.modules.normalization import InputNormalization
from hubcls.modules.sources import saved_model_files
from hubcls.modules.sources.saved_model_interface import open_saved_model

_KERAS_DTYPES = (tf.bool, tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int32, tf.int64)


@keras.saving.register_keras_serializable("hubcls")
class SavedModelLayer(keras.layers.Layer):
    """A network that was saved by TensorFlow, TensorFlow Hub or Keras 2 or 3.

    Its arithmetic keeps the dtypes that it was saved with, under every policy. Frozen, it
    runs in inference mode, and nothing of it changes.

    Attributes:
        folder: where the SavedModel lies.
        digest: sha256 of its files; `load_model` finds the right copy by it.
    """

    def __init__(
        self,
        folder: str | Path,
        signature: str | None = None,
        output_key: str | None = None,
        digest: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the SavedModel; `kwargs` are Keras' own (name, dtype, trainable).

        Raises:
            ConfigError: the folder holds no SavedModel that takes images.
        """
        # bfloat16 has 8 significant bits: pixels would be rounded before they count.
        super().__init__(**{**kwargs, "autocast": False})
        self.folder = Path(folder)
        self.signature = signature
        self.output_key = output_key
        self._interface = open_saved_model(self.folder, signature=signature, output_key=output_key)
        self.digest = digest or saved_model_files.digest_of(self.folder)
        self._adopt_variables()
        self.built = True

    def call(self, images: Any, training: bool | None = False) -> Any:
        """The network's output for images of the scale that it was saved for."""
        is_training = bool(training and self.trainable)
        outputs = self._interface.run(images, training=is_training)
        if is_training:
            for regularizer in self._interface.regularizers:
                self.add_loss(regularizer())
        return tf.cast(outputs, self.compute_dtype)

    def compute_output_spec(self, images: Any, training: bool | None = False) -> Any:
        """Shape and dtype of the output, by tracing the network.

        Raises:
            ConfigError: the network takes images of another size.
        """
        spec = self._interface.input_spec
        if not spec.shape.is_compatible_with(images.shape):
            raise ConfigError(
                f"the SavedModel in {self.folder} takes images of the shape "
                f"{list(spec.shape)}, not {list(images.shape)}.\n"
                "  Leave input_size out to use its own size."
            )
        run = tf.function(lambda pixels: self._interface.run(pixels, training=False))
        traced = run.get_concrete_function(tf.TensorSpec(images.shape, spec.dtype))
        return keras.KerasTensor(traced.output_shapes.as_list(), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config: dict[str, Any] = super().get_config()
        config.pop("autocast", None)
        return {
            **config,
            "folder": str(self.folder),
            "signature": self.signature,
            "output_key": self.output_key,
            "digest": self.digest,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SavedModelLayer:
        """The layer again, from its folder or from the copy that `load_model` unpacked.

        Raises:
            BundleError: no SavedModel with the same bytes is found.
        """
        folder = saved_model_files.find(config["folder"], config["digest"])
        layer: SavedModelLayer = super().from_config({**config, "folder": str(folder)})
        return layer

    def save_assets(self, dir_path: str) -> None:
        """Put a copy of the SavedModel into the .keras file."""
        saved_model_files.pack(self.folder, Path(dir_path), self.digest)

    def load_assets(self, dir_path: str) -> None:
        """Nothing: the copy is unpacked by `load_model`, before Keras rebuilds the layer."""

    def _adopt_variables(self) -> None:
        adopted = zip(self._interface.variables, self._interface.trainable, strict=True)
        for index, (variable, is_trainable) in enumerate(adopted):
            if variable.dtype in _KERAS_DTYPES:
                # An attribute each: Keras tracks what it is given by name, and only once.
                setattr(self, f"variable_{index}", _adopted(self.name, variable, is_trainable))
        # Variables made after `trainable=False` was set do not know of it yet.
        # Not by `self.trainable = …`: Keras passes over a value that it has already.
        for variable in self._trainable_variables:
            variable.trainable = self._trainable


def load_model(path: str | Path, *, is_compiled: bool = True) -> keras.Model:
    """A model from a .keras file, whether or not its SavedModels' folders still exist.

    Args:
        path: the file.
        is_compiled: take over loss, metrics and optimizer, where the file has them.

    Raises:
        BundleError: the file cannot be read.
        ArchiveError: a SavedModel in it is broken or unsafe.
        UnsafeCheckpointError: a SavedModel in it reaches outside of its graph.
    """
    saved_model_files.unpack(Path(path))
    # Named here so that they are known in a process that has built no module.
    kinds = (InputNormalization, SavedModelLayer, *LAYERS)
    ours = {f"hubcls>{kind.__name__}": kind for kind in kinds}
    return keras.saving.load_model(path, custom_objects=ours, compile=is_compiled)


def _adopted(layer: str, variable: tf.Variable, is_trainable: bool) -> keras.Variable:
    """A Keras variable on the very storage of TensorFlow's, with its name as the path."""
    *scopes, name = variable.name.split(":")[0].split("/")
    with contextlib.ExitStack() as stack:
        for scope in (layer, *scopes):
            stack.enter_context(keras.name_scope(scope))
        return keras.Variable(
            variable,
            shape=variable.shape,
            dtype=variable.dtype.name,
            trainable=is_trainable,
            name=name,
        )
