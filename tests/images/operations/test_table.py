"""What holds for every operation of the table."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import yaml

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.images.operations.table import OPERATIONS, operation, plain_values

CHANGED = {
    "auto_augment": {"policy": "svhn"},
    "augmix": {"severity": 5, "width": 2},
    "color_jitter": {"hue": 0.0},
    "cutmix": {"alpha": 0.5},
    "cutout": {"size": 0.25, "fill": [0, 0, 0]},
    "grid_mask": {"ratio": 0.5},
    "hide_and_seek": {"patch_sizes": [0, 8]},
    "mixup": {"alpha": 0.4},
    "one_of": {"probabilities": [0.3, 0.6]},
    "rand_augment": {"magnitude": 5, "num_operations": 3},
    "random_erasing": {"probability": 1.0},
    "rotation": {"degrees": 30},
    "trivial_augment_wide": {},
}
MIXING = {"cutmix", "mixup", "one_of"}

every_operation = pytest.mark.parametrize("name", OPERATIONS)


@functools.cache
def traced(name, size, dtype):
    signature = [
        tf.TensorSpec([None, *size, 3], dtype),
        tf.TensorSpec([None, 1], tf.float32),
        tf.TensorSpec([None, 2], tf.int64),
    ]
    made = operation({"name": name, **CHANGED[name]})
    return tf.function(made, input_signature=signature, autograph=False)


def applied(name, images, seeds):
    function = traced(name, images.shape[1:3], tf.as_dtype(images.dtype))
    changed, _ = function(tf.constant(images), tf.zeros([len(images), 1]), seeds)
    return changed.numpy()


@every_operation
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (33, 17)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shapes_and_dtypes_stay_and_levels_lie_in_their_range(name, size, dtype, seeds_of):
    images = np.random.default_rng(0).integers(0, 256, (1, *size, 3)).astype(dtype)

    changed = applied(name, images, seeds_of(1))

    assert (changed.shape, changed.dtype) == (images.shape, dtype)
    assert 0 <= changed.min() <= changed.max() <= 255


@every_operation
def test_the_same_seeds_give_the_same_pixels_and_others_others(name, photos, seeds_of):
    first, again, other = (applied(name, photos, seeds_of(6, seed)) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - MIXING))
def test_an_images_pixels_do_not_depend_on_its_batch(name, photos, seeds_of):
    seeds = seeds_of(6)

    together = applied(name, photos, seeds)

    alone = [applied(name, photos[k : k + 1], seeds[k : k + 1])[0] for k in range(6)]
    assert np.array_equal(together, alone)


@every_operation
def test_whole_levels_as_float32_come_out_as_uint8_does_within_rounding(name, photos, seeds_of):
    of_bytes = applied(name, photos, seeds_of(6))

    of_floats = applied(name, photos.astype(np.float32), seeds_of(6))

    assert np.abs(of_floats - of_bytes).max() <= 0.501


@every_operation
def test_settings_survive_yaml(name):
    made = operation({"name": name, **CHANGED[name]})

    again = operation(yaml.safe_load(yaml.safe_dump(plain_values(made))))

    assert again == made
    assert plain_values(made).items() >= {"name": name, **CHANGED[name]}.items()


@every_operation
def test_a_name_alone_is_an_operation_with_defaults(name):
    assert operation(name) == OPERATIONS[name]()
    assert operation(name).mixes_targets == (name in MIXING)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UnknownNameError, match="Nearest names: rand_augment"):
        operation("rand_augmnt")


def test_an_unknown_argument_lists_the_nearest():
    with pytest.raises(UnknownNameError, match=r"(?s)argument of rand_augment.*magnitude"):
        operation({"name": "rand_augment", "magnitud": 5})


def test_an_operation_without_a_name_is_refused():
    with pytest.raises(ConfigError, match="needs a name"):
        operation({"alpha": 0.2})
