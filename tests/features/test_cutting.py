import keras
import numpy as np
import pytest

from hubcls.classification.rebuilding import rebuilt
from hubcls.features.cutting import frozen_trunk, trunk_at, trunks


def network(*, dropout=0.0, inner_dropout=0.0, name="a"):
    """A branch, a join, a second convolution, and a head."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", name=f"{name}_first")(image)
    side = keras.layers.Conv2D(4, 1, name=f"{name}_side")(x)
    x = keras.layers.Add(name=f"{name}_join")([x, side])
    if inner_dropout:
        x = keras.layers.Dropout(inner_dropout, name=f"{name}_inner")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    x = keras.ops.relu(keras.layers.Conv2D(4, 3, name=f"{name}_second")(x))
    x = keras.layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name=f"{name}_drop")(x)
    return keras.Model(image, keras.layers.Dense(2, name=f"{name}_logits")(x))


def open_from(model, *names):
    for layer in model.layers:
        layer.trainable = layer.name in names


def key(model, layer="a_pool"):
    return trunk_at(model, model.get_layer(layer).output).key


def test_a_network_is_cut_where_one_tensor_goes_on():
    tops = [trunk.top for trunk in trunks(network())]

    assert tops[:3] == ["a_first", "a_join", "a_norm"]
    assert "a_side" not in tops
    assert tops[-1] == "a_pool"


@pytest.mark.parametrize(
    ("opened", "top"),
    [
        (("a_logits",), "a_pool"),
        (("a_second", "a_logits"), "a_norm"),
        (("a_norm", "a_logits"), "a_join"),
        (("a_side", "a_logits"), "a_first"),
    ],
)
def test_the_frozen_part_ends_below_the_first_layer_that_trains(opened, top):
    model = network(dropout=0.5)
    open_from(model, *opened)

    assert frozen_trunk(model).top == top


def test_a_layer_used_twice_or_another_kind_of_model_is_not_cut():
    image = keras.Input((8, 8, 3))
    again = keras.layers.ReLU()
    x = again(keras.layers.Conv2D(4, 3)(image))
    x = again(keras.layers.Conv2D(4, 3)(x))

    assert trunks(keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))) == []
    assert trunks(keras.Sequential([image, keras.layers.Flatten()])) == []


def test_no_cut_lies_above_a_layer_of_somebodys_own():
    class Halved(keras.layers.Layer):
        def call(self, images):
            return images / 2

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="below")(image)
    x = keras.layers.Conv2D(4, 3, name="above")(Halved()(x))

    tops = [trunk.top for trunk in trunks(keras.Model(image, keras.layers.Flatten()(x)))]
    assert tops == ["below"]


def halved(images):
    return images / 2


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Activation(halved),
        keras.layers.Conv2D(4, 1, activation=halved),
        keras.layers.Lambda(halved),
        keras.layers.Lambda(lambda images: images / 2),
    ],
    ids=["activation", "convolution", "lambda", "anonymous"],
)
def test_nor_above_a_function_of_somebodys_own(layer):
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="below")(image)
    x = keras.layers.Conv2D(4, 3, name="above")(layer(x))

    tops = [trunk.top for trunk in trunks(keras.Model(image, keras.layers.Flatten()(x)))]
    assert tops == ["below"]


def test_where_the_first_layer_trains_nothing_is_frozen():
    assert frozen_trunk(network()) is None


def test_the_heads_dropout_stays_above_and_the_bodys_is_passed():
    model = network(dropout=0.5, inner_dropout=0.5)
    open_from(model, "a_logits")
    assert frozen_trunk(model).top == "a_pool"

    open_from(model, "a_norm", "a_logits")
    assert frozen_trunk(model).top == "a_join"


def test_both_parts_together_are_the_network():
    model = network()
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype(np.float32)

    for trunk in trunks(model):
        np.testing.assert_allclose(trunk.upper(trunk.model(images)), model(images), rtol=1e-5)


def test_the_upper_part_has_the_very_variables():
    model = network()
    open_from(model, "a_logits")

    assert frozen_trunk(model).upper.trainable_variables[0] is model.get_layer("a_logits").kernel


def test_names_make_no_other_key():
    assert key(network()) == key(network(name="b"), "b_pool")


def test_a_weight_below_makes_another_key_and_one_above_does_not():
    model = network()
    before = key(model)

    model.get_layer("a_logits").kernel.assign_add(model.get_layer("a_logits").kernel)
    assert key(model) == before

    model.get_layer("a_norm").moving_mean.assign(np.ones(4))
    assert key(model) != before


def test_a_setting_or_a_precision_makes_another_key():
    model = network()
    other = network()
    other.get_layer("a_norm").epsilon = 0.1

    assert key(other) != key(model)
    assert key(rebuilt(model, "mixed_bfloat16")) != key(model)
