"""The head: its layers, its first weights, its dtype, and taking over a probe."""

import keras
import numpy as np
import pytest

from hubcls.classification import (
    build_classifier,
    head_layer_names,
    is_linear_head,
    set_linear_head,
)
from hubcls.errors import ConfigError, WeightsError


def backbone(features=64):
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, keras.layers.Conv2D(features, 3, name="head_conv")(image))


def test_the_classifier_is_flat_and_ends_in_the_named_head():
    model = build_classifier(backbone(), num_outputs=5, hidden_units=(16, 8), dropout=0.1)

    assert [layer.name for layer in model.layers] == [
        "image",
        "head_conv",
        "head_pool",
        "head_dense_1",
        "head_dense_2",
        "head_dropout",
        "logits",
    ]
    assert head_layer_names(model) == (
        "head_pool",
        "head_dense_1",
        "head_dense_2",
        "head_dropout",
        "logits",
    )


def test_a_backbone_that_gives_vectors_is_not_pooled():
    image = keras.Input((8, 8, 3))
    vectors = keras.Model(image, keras.layers.Flatten()(image))

    model = build_classifier(vectors, num_outputs=5)

    assert head_layer_names(model) == ("logits",)


def test_kernels_are_drawn_from_a_cut_normal_and_biases_are_zero():
    model = build_classifier(backbone(512), num_outputs=100, hidden_units=(512,), seed=1)

    for name in ("head_dense_1", "logits"):
        kernel, bias = model.get_layer(name).get_weights()
        # A normal cut at two deviations keeps 0.88 of its deviation.
        assert kernel.std() == pytest.approx(0.02 * 0.88, rel=0.02)
        assert np.abs(kernel).max() <= 0.04
        assert not bias.any()


def test_the_same_seed_draws_the_same_head_and_layers_differ():
    kernels = [
        build_classifier(backbone(), num_outputs=64, hidden_units=(64,), seed=seed).get_layer(name)
        for seed, name in ((1, "logits"), (1, "logits"), (2, "logits"), (1, "head_dense_1"))
    ]
    first, same, other, below = (layer.get_weights()[0] for layer in kernels)

    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0
    assert np.abs(first - below).max() > 0


def test_hidden_layers_are_rectified():
    model = build_classifier(backbone(), num_outputs=2, hidden_units=(16,))
    hidden = keras.Model(model.input, model.get_layer("head_dense_1").output)

    values = hidden.predict(np.random.default_rng(0).normal(size=(4, 8, 8, 3)), verbose=0)

    assert values.min() == 0


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_a_mixed_policy(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = build_classifier(backbone(), num_outputs=3, hidden_units=(4,))
    finally:
        keras.config.set_dtype_policy("float32")

    assert model(np.zeros((1, 8, 8, 3))).dtype == "float32"
    assert model.get_layer("head_dense_1").compute_dtype == policy.removeprefix("mixed_")


def test_dropout_acts_in_training_only():
    model = build_classifier(backbone(), num_outputs=3, dropout=0.5, seed=0)
    image = np.ones((1, 8, 8, 3), "float32")

    resting = [np.array(model(image, training=False)) for _ in range(2)]
    training = [np.array(model(image, training=True)) for _ in range(2)]

    np.testing.assert_array_equal(*resting)
    assert np.abs(training[0] - training[1]).max() > 0


def test_a_probe_becomes_the_head():
    model = build_classifier(backbone(4), num_outputs=2)
    kernel, bias = np.arange(8.0).reshape(4, 2), np.array([1.0, -1.0])
    image = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")
    features = keras.Model(model.input, model.get_layer("head_pool").output)(image)

    set_linear_head(model, kernel, bias)

    np.testing.assert_allclose(model(image), np.array(features) @ kernel + bias, atol=1e-5)


def test_dropout_leaves_a_head_linear_and_hidden_units_do_not():
    assert is_linear_head(build_classifier(backbone(), num_outputs=2, dropout=0.2))
    assert not is_linear_head(build_classifier(backbone(), num_outputs=2, hidden_units=(4,)))
    assert not is_linear_head(backbone())


def test_a_head_with_hidden_units_refuses_a_probe():
    model = build_classifier(backbone(4), num_outputs=2, hidden_units=(4,))

    with pytest.raises(ConfigError, match="without hidden_units"):
        set_linear_head(model, np.zeros((4, 2)), np.zeros(2))


def test_a_probe_of_another_shape_is_refused():
    with pytest.raises(WeightsError, match=r"\(4, 2\).*not \[\(2, 4\)"):
        set_linear_head(build_classifier(backbone(4), num_outputs=2), np.zeros((2, 4)), np.zeros(2))


def test_a_probe_with_nan_is_refused():
    with pytest.raises(WeightsError, match="NaN"):
        set_linear_head(
            build_classifier(backbone(4), num_outputs=2), np.full((4, 2), np.nan), np.zeros(2)
        )


def test_wrong_numbers_are_reported_together():
    with pytest.raises(ConfigError) as error:
        build_classifier(backbone(), num_outputs=0, hidden_units=(0,), dropout=1.0)

    for part in ("num_outputs", "hidden_units", "dropout"):
        assert part in str(error.value)


def test_a_backbone_of_another_rank_is_refused():
    image = keras.Input((8, 8, 3))
    sequence = keras.Model(image, keras.layers.Reshape((64, 3))(image))

    with pytest.raises(ConfigError, match=r"\[None, 64, 3\]"):
        build_classifier(sequence, num_outputs=2)
