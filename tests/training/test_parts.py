import keras
import numpy as np

from hubcls.features.cutting import frozen_trunk
from hubcls.training.parts import _both_parts


def test_in_the_frozen_part_nothing_is_dropped_where_no_features_are_kept():
    image = keras.Input((8, 8, 3))
    below = keras.layers.Dropout(0.5)(keras.layers.Conv2D(4, 3)(image))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(below))
    model = keras.Model(image, keras.layers.Dense(2)(pooled))
    for layer in model.layers[:-1]:
        layer.trainable = False
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)

    both = _both_parts(frozen_trunk(model))

    np.testing.assert_allclose(
        both(images, training=True), model(images, training=False), rtol=1e-5
    )
    assert not np.allclose(model(images, training=True), model(images, training=False))
