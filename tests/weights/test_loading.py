import keras
import numpy as np
import pytest

from hubcls.errors import WeightsError
from hubcls.weights import (
    Naming,
    closest_naming,
    keras_leaves,
    leaves_of,
    load_arrays,
    without_parallel_prefix,
)

PREFIXES = {"conv": "stem.0", "bn": "stem.1", "depth": "stem.2", "dense": "fc"}
TORCH = Naming("torch", PREFIXES, leaves_of("torch"))
KERAS = Naming("Keras", {name: name for name in TORCH.prefixes}, keras_leaves)


@pytest.fixture
def layers():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="bn")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depth")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="dense")(x)).layers


@pytest.fixture
def arrays():
    shapes = {
        "stem.0.weight": (4, 3, 3, 3), "stem.0.bias": (4,), "stem.1.weight": (4,),
        "stem.1.bias": (4,), "stem.1.running_mean": (4,), "stem.1.running_var": (4,),
        "stem.1.num_batches_tracked": (), "stem.2.weight": (4, 1, 3, 3), "stem.2.bias": (4,),
        "fc.weight": (2, 4), "fc.bias": (2,),
    }  # fmt: skip
    chance = np.random.default_rng(0)
    return {key: chance.random(shape, np.float32) for key, shape in shapes.items()}


def test_every_weight_gets_its_array(layers, arrays):
    load_arrays(arrays, layers, TORCH)

    values = {weight.path: weight.numpy() for layer in layers for weight in layer.weights}
    np.testing.assert_array_equal(
        values["conv/kernel"][1, 2], arrays["stem.0.weight"][:, :, 1, 2].T
    )
    np.testing.assert_array_equal(
        values["depth/kernel"][1, 2, :, 0], arrays["stem.2.weight"][:, 0, 1, 2]
    )
    np.testing.assert_array_equal(values["dense/kernel"], arrays["fc.weight"].T)
    for keras_name, torch_name in (
        ("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    ):  # fmt: skip
        np.testing.assert_array_equal(values[f"bn/{keras_name}"], arrays[f"stem.1.{torch_name}"])


def test_nothing_is_assigned_when_anything_is_wrong(layers, arrays):
    before = [weight.numpy() for layer in layers for weight in layer.weights]
    del arrays["fc.bias"]

    with pytest.raises(WeightsError, match="dense/bias"):
        load_arrays(arrays, layers, TORCH)

    after = [weight.numpy() for layer in layers for weight in layer.weights]
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_layer_that_no_rule_names_is_an_error(layers, arrays):
    prefixes = {layer: prefix for layer, prefix in TORCH.prefixes.items() if layer != "depth"}

    with pytest.raises(WeightsError, match=r"(?s)depth/kernel.*stem\.2\.weight"):
        load_arrays(arrays, layers, Naming("torch", prefixes, leaves_of("torch")))


def test_a_kind_of_layer_that_no_rule_knows_is_an_error(arrays):
    layer = keras.layers.GroupNormalization(2, name="norm")
    layer.build((None, 4))

    with pytest.raises(WeightsError, match="GroupNormalization"):
        load_arrays(arrays, [layer], Naming("torch", {"norm": "norm"}, leaves_of("torch")))


def test_paddles_arrays_lie_and_end_as_paddle_has_them(layers, arrays):
    paddles = {
        key.replace("running_mean", "_mean").replace("running_var", "_variance"): array
        for key, array in arrays.items()
        if not key.endswith("num_batches_tracked")
    }
    paddles["fc.weight"] = paddles["fc.weight"].T

    load_arrays(paddles, layers, Naming("paddle", PREFIXES, leaves_of("paddle")))
    values = {weight.path: weight.numpy() for layer in layers for weight in layer.weights}

    np.testing.assert_array_equal(values["dense/kernel"], arrays["fc.weight"].T)
    np.testing.assert_array_equal(values["bn/moving_variance"], arrays["stem.1.running_var"])


def test_a_factor_is_for_the_kernel_of_its_layer_alone(layers, arrays):
    load_arrays(
        arrays, layers, Naming("torch", PREFIXES, leaves_of("torch"), factors={"dense": 0.5})
    )

    dense = next(layer for layer in layers if layer.name == "dense")
    np.testing.assert_array_equal(dense.kernel, arrays["fc.weight"].T * np.float32(0.5))
    np.testing.assert_array_equal(dense.bias, arrays["fc.bias"])


def test_the_naming_that_explains_most_keys_is_chosen(layers, arrays):
    keras_arrays = {"conv/0": np.zeros(1)}

    for found, chosen in ((arrays, TORCH), (keras_arrays, KERAS)):
        assert closest_naming(layers, [(KERAS, found), (TORCH, found)])[0] is chosen


def test_of_namings_that_explain_the_same_keys_the_first_is_chosen(layers, arrays):
    twin = Naming("twin", PREFIXES, leaves_of("paddle"))
    only_dense = {"fc.weight": arrays["fc.weight"]}

    assert closest_naming(layers, [(twin, only_dense), (TORCH, only_dense)])[0] is twin


def test_an_unknown_naming_is_an_error_that_shows_the_keys(layers):
    strange = {"encoder.0.weight": np.zeros(1)}

    with pytest.raises(WeightsError, match=r"(?s)encoder\.0\.weight.*Keras, torch"):
        closest_naming(layers, [(KERAS, strange), (TORCH, strange)])


def test_the_prefix_of_data_parallel_is_removed_when_every_key_has_it(arrays):
    parallel = {f"module.{key}": array for key, array in arrays.items()}

    assert list(without_parallel_prefix(parallel)) == list(arrays)
    assert list(without_parallel_prefix({**parallel, "other": arrays["fc.bias"]})) == [
        *parallel, "other",
    ]  # fmt: skip
