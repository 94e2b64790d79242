import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.classification.rebuilding import as_float32, copy_variables, is_float32, rebuilt
from hubcls.errors import ConfigError, WeightsError
from hubcls.modules.normalization import InputNormalization


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNetV2(
        weights=None, input_shape=(64, 64, 3), include_top=False, alpha=0.35
    )


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)


def small_network():
    """Every way in which a layer can sit in a model: bare, nested, an operation, with a seed."""
    image = keras.Input((8, 8, 3), name="image")
    x = InputNormalization((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))(image)
    x = keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()], name="s")(
        x
    )
    x = keras.ops.relu(x + 3.0)
    x = keras.layers.Dropout(0.5, name="dropout")(keras.layers.Flatten()(x))
    inner_input = keras.Input((x.shape[-1],))
    inner = keras.Model(inner_input, keras.layers.Dense(6, name="deep")(inner_input), name="inner")
    return keras.Model(image, keras.layers.Dense(3, name="logits")(inner(x)))


def test_to_mixed_precision_and_back_gives_the_same_weights_and_predictions(mobilenet, images):
    mixed = rebuilt(mobilenet, "mixed_bfloat16")

    back = as_float32(mixed)

    assert is_float32(back)
    assert not is_float32(mixed)
    for mine, theirs in zip(back.get_weights(), mobilenet.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(back(images), mobilenet(images))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_every_layer_but_normalisation_and_output_computes_under_the_policy(policy):
    model = rebuilt(small_network(), policy)

    nested = model.get_layer("s").layers + model.get_layer("inner").layers[1:]
    assert {layer.dtype_policy.name for layer in nested} == {policy}
    assert model.get_layer("dropout").dtype_policy.name == policy
    assert model.get_layer("input_normalization").dtype_policy.name == "float32"
    assert model.get_layer("logits").dtype_policy.name == "float32"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_the_output_too_computes_under_the_policy_when_asked():
    model = rebuilt(small_network(), "mixed_bfloat16", float32_layers=())

    assert model.get_layer("logits").dtype_policy.name == "mixed_bfloat16"
    assert model.get_layer("input_normalization").dtype_policy.name == "float32"


def test_the_process_policy_does_not_leak_into_a_rebuilt_model():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = as_float32(small_network())
    finally:
        keras.config.set_dtype_policy("float32")

    assert is_float32(model)


def test_a_rebuilt_model_shares_no_variable_with_the_original():
    original = small_network()
    before = original.get_weights()

    copy = as_float32(original)
    for variable in copy.trainable_variables:
        variable.assign_add(keras.ops.ones_like(variable))

    for mine, theirs in zip(original.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_dropout_goes_on_with_the_masks_of_the_original():
    original = small_network()
    image = np.zeros((1, 8, 8, 3), np.float32)
    original(image, training=True)

    copy = as_float32(original)

    np.testing.assert_array_equal(copy(image, training=True), original(image, training=True))


def test_frozen_layers_stay_frozen_and_compilation_is_left_behind():
    original = small_network()
    original.get_layer("s").trainable = False
    original.compile("sgd", "mse")

    copy = as_float32(original)

    assert len(copy.trainable_variables) == len(original.trainable_variables)
    assert not copy.compiled


def test_inside_a_distribution_scope_the_variables_belong_to_the_strategy(images):
    original = small_network()
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])

    with strategy.scope():
        copy = rebuilt(original, "float32")

    assert strategy.extended.variable_created_in_scope(copy.trainable_variables[0].value)
    for mine, theirs in zip(copy.get_weights(), original.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "name",
    [
        "MobileNetV3Small",
        pytest.param("ConvNeXtTiny", marks=pytest.mark.slow),
        pytest.param("EfficientNetB0", marks=pytest.mark.slow),
        pytest.param("InceptionResNetV2", marks=pytest.mark.slow),
    ],
)
def test_operations_rescaling_and_unexported_layers_are_rebuilt(name, images):
    build = getattr(keras.applications, name)
    original = build(weights=None, input_shape=(96, 96, 3), include_top=False, pooling="avg")
    images = np.resize(images, (2, 96, 96, 3))

    copy = as_float32(rebuilt(original, "mixed_bfloat16"))

    np.testing.assert_array_equal(copy(images), original(images))


def test_an_unknown_policy_is_an_error_that_lists_the_right_ones():
    with pytest.raises(ConfigError, match="float32, mixed_bfloat16, mixed_float16, not 'bf16'"):
        rebuilt(small_network(), "bf16")


def test_a_model_without_a_graph_is_refused():
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ConfigError, match=r"not functional.*keras\.Model\(inputs, outputs\)"):
        as_float32(Subclassed())


def test_copying_into_another_network_lists_every_difference():
    image = keras.Input((4,))
    narrow = keras.Model(image, keras.layers.Dense(2, name="logits")(image))
    deep = keras.layers.Dense(3, name="hidden")(image)
    wide = keras.Model(image, keras.layers.Dense(5, name="logits")(deep))

    with pytest.raises(WeightsError, match=r"hidden is missing\n.*logits has \[\(4, 2\), \(2,\)\]"):
        copy_variables(wide, narrow)
