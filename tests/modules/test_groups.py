"""Layers are grouped by how far the image has shrunk."""

import keras
import numpy as np

from hubcls.modules.groups import groups_by_stride

layers = keras.layers


def as_dict(model):
    return {group.name: group.layers for group in groups_by_stride(model)}


def strided(depth, channels=4):
    image = keras.Input((32, 32, 3), name="image")
    x = image
    for stage in range(depth):
        x = layers.Conv2D(channels, 3, 2, "same", name=f"conv{stage}")(x)
        x = layers.BatchNormalization(name=f"bn{stage}")(x)
    return keras.Model(image, x)


def test_each_halving_of_the_image_starts_a_stage():
    assert as_dict(strided(3)) == {
        "stem": ("conv0", "bn0"),
        "stage_1": ("conv1", "bn1"),
        "stage_2": ("conv2", "bn2"),
    }


def test_squeeze_and_excitation_belongs_to_the_stage_it_reads():
    body = strided(3)
    x = body.output
    squeezed = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    squeezed = layers.Conv2D(1, 1, name="reduce")(squeezed)
    gate = layers.Conv2D(4, 1, name="expand")(squeezed)
    x = layers.Multiply(name="scale")([x, gate])
    x = layers.Conv2D(4, 3, 2, "same", name="last")(x)

    groups = as_dict(keras.Model(body.input, x))

    assert groups["stage_2"] == ("conv2", "bn2", "reduce", "expand")
    assert groups["stage_3"] == ("last",)


def test_layers_behind_the_global_pooling_belong_to_the_last_stage():
    body = strided(3)
    pooled = layers.GlobalAveragePooling2D(name="pool")(body.output)
    vector = layers.LayerNormalization(name="norm")(pooled)

    groups = as_dict(keras.Model(body.input, vector))

    assert groups["stage_2"] == ("conv2", "bn2", "norm")


def test_a_final_map_of_one_pixel_is_a_stage_of_its_own():
    groups = as_dict(strided(5))

    assert groups["stage_4"] == ("conv4", "bn4")


def test_statistics_of_the_input_belong_to_the_stem():
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Normalization(name="statistics")(image)
    for stage in range(3):
        x = layers.Conv2D(4, 3, 2, "same", name=f"conv{stage}")(x)

    groups = as_dict(keras.Model(image, x))

    assert groups["stem"] == ("statistics", "conv0")


def test_a_network_of_one_resolution_is_cut_into_three():
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(8, 8, 8, name="patches")(image)
    x = layers.Reshape((16, 8))(x)
    for block in range(6):
        x = layers.Dense(8, name=f"block{block}")(x)

    groups = groups_by_stride(keras.Model(image, x))

    assert [group.name for group in groups] == ["stem", "stage_1", "stage_2"]
    assert [name for group in groups for name in group.layers] == [
        "patches",
        *(f"block{block}" for block in range(6)),
    ]


def test_a_network_of_one_layer_is_one_group():
    image = keras.Input((8, 8, 3), name="image")
    model = keras.Model(image, layers.Conv2D(4, 3, name="only")(image))

    assert as_dict(model) == {"stem": ("only",)}


def test_rounding_forgives_convolutions_without_padding():
    image = keras.Input((75, 75, 3), name="image")
    x = layers.Conv2D(4, 3, 2, name="a")(image)
    x = layers.Conv2D(4, 3, 2, name="b")(x)
    x = layers.Conv2D(4, 3, 2, name="c")(x)

    groups = as_dict(keras.Model(image, x))

    assert np.all([len(names) == 1 for names in groups.values()])
    assert list(groups) == ["stem", "stage_1", "stage_2"]
