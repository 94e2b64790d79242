"""The first layer of every backbone: pixels 0–255 in, what the network expects out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from hubcls.errors import ConfigError
from hubcls.preprocessing import ChannelOrder, Preprocessing


@keras.saving.register_keras_serializable("hubcls")
class InputNormalization(keras.layers.Layer):
    """`(pixels / 255 - mean) / std`, after reversing the channels for networks that read BGR.

    The arithmetic is float32 under every dtype policy; the result has the policy's
    compute dtype. There are no variables, so weights files fit with and without it.

    Attributes:
        mean: per channel on the 0–1 scale, in `channel_order`.
        std: per channel on the 0–1 scale, in `channel_order`.
        channel_order: the order in which the network reads; images come as RGB.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        channel_order: ChannelOrder = "RGB",
        **kwargs: Any,
    ) -> None:
        """Keep the numbers; `kwargs` are Keras' own (name, dtype)."""
        # bfloat16 has 8 significant bits: resized pixels would be rounded before they count.
        super().__init__(**{"name": "input_normalization", **kwargs, "autocast": False})
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self.channel_order: ChannelOrder = channel_order

    def call(self, images: Any) -> Any:
        """Normalise images [B, H, W, 3], RGB, 0–255."""
        scale = 1.0 / (255.0 * np.asarray(self.std))
        offset = -np.asarray(self.mean) / np.asarray(self.std)
        pixels = ops.cast(images, "float32")
        if self.channel_order == "BGR":
            pixels = ops.flip(pixels, axis=-1)
        height, width = pixels.shape[1:3]
        if height is None or width is None:
            normalised = pixels * scale.astype("float32") + offset.astype("float32")
        else:
            # Three numbers against pixels take a CPU four times as long as a whole row of them.
            scale, offset = (np.tile(each, width).astype("float32") for each in (scale, offset))
            rows = ops.reshape(pixels, (-1, height, width * 3)) * scale + offset
            normalised = ops.reshape(rows, (-1, height, width, 3))
        return ops.cast(normalised, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config: dict[str, Any] = super().get_config()
        config.pop("autocast", None)
        return {
            **config,
            "mean": list(self.mean),
            "std": list(self.std),
            "channel_order": self.channel_order,
        }


def normalised_input(preprocessing: Preprocessing) -> tuple[Any, Any]:
    """The start of every backbone.

    Returns:
        The input "image", float32 [B, H, W, 3], RGB, 0–255, and the normalised tensor
        to build the network on.

    Raises:
        ConfigError: Keras is set to put channels first.
    """
    if keras.config.image_data_format() != "channels_last":
        raise ConfigError(
            "images are [B, H, W, 3] everywhere in hubcls, but Keras is set to channels_first.\n"
            '  Set "image_data_format": "channels_last" in ~/.keras/keras.json, or call '
            'keras.config.set_image_data_format("channels_last").'
        )
    shape = (preprocessing.height, preprocessing.width, 3)
    image = keras.Input(shape, dtype="float32", name="image")
    layer = InputNormalization(preprocessing.mean, preprocessing.std, preprocessing.channel_order)
    return image, layer(image)
