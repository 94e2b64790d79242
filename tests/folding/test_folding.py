import keras
import numpy as np
import pytest
import tensorflow as tf

from hubcls.backbones.layers import GroupedConv2D
from hubcls.folding import folded, folded_constants
from hubcls.folding.depthwise import depthwise_conv2d, is_slow
from hubcls.folding.networks import folded_pairs
from hubcls.strategies import CombinedStrategy
from hubcls.training import fitting

LAYERS = keras.layers


def norm(name, trainable=False, **settings):
    layer = LAYERS.BatchNormalization(
        gamma_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=1),
        beta_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=2),
        moving_mean_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=3),
        moving_variance_initializer=keras.initializers.RandomUniform(0.5, 1.5, seed=4),
        name=name,
        **settings,
    )
    layer.trainable = trainable
    return layer


def network():
    """Every kind of convolution with frozen BatchNorm, and cases that must stay as they are."""
    keras.utils.set_random_seed(0)
    image = keras.Input((18, 15, 3))
    x = norm("stem_bn")(LAYERS.Conv2D(8, 3, strides=2, padding="same", name="stem")(image))
    x = LAYERS.ReLU(6.0)(x)
    x = norm("deep_bn", scale=False)(
        LAYERS.DepthwiseConv2D(5, padding="same", depth_multiplier=2, name="deep")(x)
    )
    x = keras.ops.silu(x)
    gate = LAYERS.GlobalAveragePooling2D(keepdims=True)(x)
    x = x * LAYERS.Conv2D(16, 1, activation="sigmoid", name="gate")(gate)
    x = norm("groups_bn", center=False)(GroupedConv2D(16, 3, groups=4, use_bias=False)(x))
    shortcut = LAYERS.Conv2D(16, 1, use_bias=False, name="shared")(x)
    x = norm("shared_bn")(shortcut) + shortcut
    x = norm("open_bn", trainable=True)(LAYERS.Conv2D(16, 1, use_bias=False, name="below_open")(x))
    x = LAYERS.DepthwiseConv2D((1, 5), strides=2, padding="same", activation="relu")(x)
    inner = keras.Input((None, None, 16))
    nested = norm("nested_bn")(LAYERS.Conv2D(4, 1, name="nested")(inner))
    x = keras.Model(inner, nested, name="inside")(x)
    return keras.Model(image, LAYERS.Dense(3)(LAYERS.GlobalAveragePooling2D()(x)))


def batches(count):
    random = np.random.default_rng(0)
    images = random.normal(size=(8 * count, 18, 15, 3)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((images, random.integers(3, size=8 * count))).batch(8)


def trained(model):
    model.compile(
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(batches(4), verbose=0, shuffle=False)
    return [np.array(variable) for variable in model.variables]


def test_folded_steps_train_the_weights_that_plain_steps_train():
    plain = trained(network())
    model = network()

    with folded(model):
        weights = trained(model)

    for one, other in zip(plain, weights, strict=True):
        # A gradient whose terms nearly cancel is all rounding, hence the absolute bound.
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=5e-6)


def test_only_frozen_batch_norm_that_alone_reads_a_convolution_is_folded():
    names = {norm.name for _, norm in folded_pairs(network(), in_training=True)}

    assert names == {"stem_bn", "deep_bn", "groups_bn"}


def test_constants_fold_every_batch_norm_and_compute_the_same():
    model = network()
    images = next(iter(batches(1)))[0]
    plain = np.array(model(images, training=False))

    with folded_constants(model):
        inside = np.array(model(images, training=False))
        in_training = np.array(model(images, training=True))

    np.testing.assert_allclose(inside, plain, rtol=1e-5, atol=1e-6)
    assert {norm.name for _, norm in folded_pairs(model, in_training=False)} == {
        *("stem_bn", "deep_bn", "groups_bn", "open_bn")
    }
    assert np.abs(in_training - plain).max() > 1e-3  # open_bn trains: not what was folded


def test_constants_inside_a_folded_step_leave_the_step_folded():
    model = network()
    images = next(iter(batches(1)))[0]

    with folded(model):
        outer = vars(model)["call"]
        with folded_constants(model):
            model(images, training=False)
        assert vars(model)["call"] is outer

    assert "call" not in vars(model)


def test_constants_leave_no_product_behind_a_depthwise_convolution():
    image = keras.Input((16, 16, 8))
    x = norm("bn", trainable=True)(LAYERS.DepthwiseConv2D(3, use_bias=False)(image))
    model = keras.Model(image, x)

    with folded_constants(model):
        traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(
            tf.TensorSpec([4, 16, 16, 8])
        )

    types = {operation.type for operation in traced.graph.get_operations()}
    assert {"DepthwiseConv2dNative", "BiasAdd"} <= types
    assert not {"Mul", "AddV2", "ReadVariableOp"} & types


def test_inference_is_computed_as_ever_inside_and_all_is_as_ever_afterwards():
    model = network()
    images = next(iter(batches(1)))[0]
    plain = np.array(model(images, training=False))

    with folded(model):
        inside = np.array(model(images, training=False))
        assert "call" in vars(model)

    np.testing.assert_array_equal(inside, plain)
    assert "call" not in vars(model)


def test_a_folded_step_multiplies_no_maps_by_batch_norms_scale():
    image = keras.Input((16, 16, 3))
    x = norm("bn")(LAYERS.Conv2D(8, 3, use_bias=False)(image))
    model = keras.Model(image, x)

    def operations(model):
        traced = tf.function(lambda x: model(x, training=True)).get_concrete_function(
            tf.TensorSpec([4, 16, 16, 3])
        )
        made = [op for op in traced.graph.get_operations() if op.outputs]
        return [op.type for op in made if op.outputs[0].shape.rank == 4]

    plain = operations(model)
    with folded(model):
        inside = operations(model)

    assert {"Mul", "AddV2"} <= set(plain)
    # The kernel's product alone has four axes too.
    assert inside.count("Mul") == 1
    assert "BiasAdd" in inside


def test_batch_norm_that_trains_is_one_operation():
    images = keras.Input((6, 6, 3))
    model = keras.Model(images, norm("open", trainable=True)(images))

    def operations():
        traced = tf.function(lambda x: model(x, training=True)).get_concrete_function(
            tf.TensorSpec([4, 6, 6, 3])
        )
        return {operation.type for operation in traced.graph.get_operations()}

    plain = operations()
    with folded(model):
        inside = operations()

    assert "FusedBatchNormV3" in inside - plain
    assert "SquaredDifference" in plain - inside


def test_mixed_precision_scales_kernels_before_it_rounds_them():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        plain, model = network(), network()
    finally:
        keras.config.set_dtype_policy("float32")
    images = next(iter(batches(1)))[0]

    with folded(model):
        inside = model(images, training=True)

    assert inside.dtype == tf.bfloat16
    np.testing.assert_allclose(
        np.array(inside, np.float32), np.array(plain(images, training=True), np.float32), atol=0.05
    )


@pytest.mark.slow
def test_batch_norm_that_opens_later_is_folded_until_then(make_task, tmp_path, monkeypatch):
    strategy = CombinedStrategy(
        "sgd", 0.05, scheduler={"gradual_unfreeze": {"blocks": 3}}, batch_norm="train"
    )
    settings = {"strategy": strategy, "num_epoch": 3, "cached_views": 0}
    folding = make_task(**settings)
    counts = []

    def counted(model):
        counts.append(len(folded_pairs(model, in_training=True)))
        return folded(model)

    monkeypatch.setattr(fitting, "folded", counted)
    folding.finetune()
    monkeypatch.setattr(fitting, "folded", lambda model: monkeypatch.context())
    plain = make_task(
        strategy=strategy, num_epoch=3, cached_views=0, checkpoint_dir=tmp_path / "plain"
    )

    plain.finetune()

    assert counts[0] == 1
    assert counts[-1] == 0
    for one, other in zip(plain.classifier.weights, folding.classifier.weights, strict=True):
        np.testing.assert_allclose(np.array(other), np.array(one), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    [
        *((14, (5, 5), 1), (15, (5, 5), 2), (14, (5, 5), 2), (11, (7, 7), 1), (13, (3, 4), 3)),
        *((9, (9, 9), 1), (11, (1, 6), 2)),
    ],
)
def test_the_kernels_gradient_by_strips_is_tensorflows(size, kernel, stride, padding):
    images = tf.random.stateless_normal((2, size, size, 3), seed=(1, 2))
    filters = tf.Variable(tf.random.stateless_normal((*kernel, 3, 2), seed=(3, 4)))

    def gradients(convolve):
        with tf.GradientTape() as tape:
            tape.watch(images)
            maps = convolve()
            loss = tf.reduce_sum(maps**2)
        return maps, *tape.gradient(loss, [images, filters])

    ours = gradients(lambda: depthwise_conv2d(images, filters, stride=stride, padding=padding))
    strides = [1, stride, stride, 1]
    theirs = gradients(lambda: tf.nn.depthwise_conv2d(images, filters, strides, padding))

    assert is_slow(kernel)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())
