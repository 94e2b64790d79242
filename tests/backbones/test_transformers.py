import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.backbones.attention import quarters
from hubcls.backbones.attention_layers import WindowAttention
from hubcls.backbones.levit import Levit
from hubcls.backbones.swin import Swin
from hubcls.backbones.tnt import TransformerInTransformer
from hubcls.backbones.token_layers import PositionEmbedding
from hubcls.backbones.twins import Stage, Twins
from hubcls.backbones.vision_transformer import VisionTransformer
from hubcls.modules.groups import groups_by_output

TWO_STAGES = (
    Stage(depth=2, width=8, num_heads=2, reduction=4),
    Stage(depth=3, width=16, num_heads=4, reduction=1),
)
NETWORKS = {
    "vit": VisionTransformer(width=8, depth=5, num_heads=2, patch_size=8, grid=3),
    "distilled": VisionTransformer(
        width=8, depth=4, num_heads=2, patch_size=8, grid=3, is_distilled=True
    ),
    "swin": Swin(width=8, depths=(2, 2), num_heads=(2, 4), window=4),
    "pcpvt": Twins(stages=TWO_STAGES),
    "svt": Twins(stages=TWO_STAGES, window=3),
    "levit": Levit(widths=(16, 24), depths=(1, 2), num_heads=(2, 3), key_width=4, grid=4),
    "tnt": TransformerInTransformer(
        width=16, pixel_width=4, depth=4, num_heads=2, num_pixel_heads=2, grid=3
    ),
}
# Multiples of the patch where only those fit.
SIZES = {"vit": (40, 24), "distilled": (40, 24), "levit": (63, 37), "tnt": (48, 32)}
ODD = (45, 62)
SHAPES = {
    "vit": [(16, 8)] * 4 + [(8,)],
    "distilled": [(17, 8)] * 4 + [(16,)],
    "swin": [(12, 16, 8), (12, 16, 8), (6, 8, 16)],
    "pcpvt": [(11, 15, 8), (11, 15, 8), (5, 7, 16)],
    "svt": [(11, 15, 8), (11, 15, 8), (5, 7, 16)],
    "levit": [(4, 3, 16), (4, 3, 16), (2, 2, 24)],
    "tnt": [(7, 16)] * 4 + [(16,)],
}


def built(name, size=None):
    """A network's backbone, and the outputs of its stages."""
    image = keras.Input((*(size or SIZES.get(name, ODD)), 3))
    stages = NETWORKS[name].stage_outputs(image)
    return keras.Model(image, stages[-1]), stages


def images(model, count=2):
    return np.random.default_rng(0).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_stage_has_its_shape_at_an_odd_size(name):
    _, stages = built(name)

    assert [stage.shape[1:] for stage in stages] == SHAPES[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_with_weights_belongs_to_one_stage(name):
    model, stages = built(name)

    groups = groups_by_output(model, stages)

    grouped = [layer for group in groups for layer in group.layers]
    assert sorted(grouped) == sorted(layer.name for layer in model.layers if layer.weights)
    assert all(group.layers for group in groups)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_computes_the_same_when_loaded(name, tmp_path):
    model, _ = built(name)
    model.save(tmp_path / "network.keras")

    loaded = keras.models.load_model(tmp_path / "network.keras")

    given = images(model)
    np.testing.assert_allclose(loaded(given), model(given), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_fit_networks_for_images_of_other_sizes(name):
    model, _ = built(name)
    other, _ = built(name, size=(48, 48))

    other.set_weights(model.get_weights())

    assert np.isfinite(other(images(other))).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns_in_mixed_precision(name):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, _ = built(name)
        features = keras.Input(model.output.shape[1:])
        head = keras.Model(features, NETWORKS[name].logits(features, 3))
    finally:
        keras.config.set_dtype_policy(policy)
    weights = [one.value for one in model.trainable_weights + head.trainable_weights]

    with tf.GradientTape() as tape:
        logits = head(model(images(model)))
        loss = tf.reduce_sum(logits * logits)
    gradients = tape.gradient(loss, weights)

    assert logits.dtype == "float32"
    assert all(gradient is not None for gradient in gradients)


def test_the_distilled_network_answers_with_the_mean_of_its_two_classifiers():
    features = keras.Input((16,))
    head = keras.Model(features, NETWORKS["distilled"].logits(features, 3))
    vectors = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)

    logits = head(vectors)

    first = head.get_layer("head")(vectors[:, :8])
    second = head.get_layer("head_dist")(vectors[:, 8:])
    np.testing.assert_allclose(logits, (first + second) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit", (40, 25), "multiples of 8"),
        ("tnt", (40, 48), "multiples of 16"),
        ("levit", (64, 65), "64 at most"),
    ],
)
def test_sizes_that_a_network_cannot_take_are_named(name, size, message):
    with pytest.raises(ValueError, match=message):
        built(name, size=size)


@pytest.mark.parametrize("depth", [4, 5, 8, 12, 24])
def test_blocks_are_divided_into_four_groups_without_gaps(depth):
    groups = list(quarters(depth))

    assert [number for group in groups for number in group] == list(range(depth))
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


@pytest.mark.parametrize(("length", "size"), [(14, 24), (14, 5), (3, 3), (7, 8)])
def test_positions_are_resampled_as_pillow_does_it(length, size):
    layer = PositionEmbedding((length, length), (length, size))
    tokens = np.zeros((1, 1 + length * size, 1), np.float32)
    layer.build(tokens.shape)
    table = np.random.default_rng(0).normal(size=(length, length)).astype(np.float32)
    layer.value.assign(np.concatenate([[7], table.ravel()]).reshape(1, -1, 1))

    found = np.asarray(layer(tokens))[0, :, 0]

    wanted = Image.fromarray(table).resize((size, length), Image.Resampling.BICUBIC)
    assert found[0] == 7
    np.testing.assert_allclose(found[1:].reshape(length, size), wanted, atol=1e-5)


def test_parts_of_a_rolled_map_that_were_apart_do_not_see_each_other():
    layer = WindowAttention(1, reach=2, grid=(4, 4), window=(2, 2), shift=(1, 1))
    values = np.random.default_rng(0).normal(size=(1, 4, 4, 3)).astype(np.float32)

    seen = np.asarray(layer([values, values, values]))

    # The last window holds the map's four corners; the first is whole.
    np.testing.assert_allclose(seen[0, 3], values[0, 3], atol=1e-5)
    assert abs(seen[0, 0] - values[0, 0]).min() > 1e-3
