import numpy as np
import pytest
import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.images.operations import Cutout, Mixup, OneOf, operation
from hubcls.images.operations.chance import folded

COUNT = 2000


@pytest.fixture
def batch(seeds_of):
    """COUNT images of one level each, one-hot targets, and seeds."""
    levels = np.linspace(0, 255, COUNT, dtype=np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (COUNT, 4, 6, 3))
    return tf.constant(images), tf.one_hot(np.arange(COUNT) % 2, 2), seeds_of(COUNT)


def test_each_image_has_one_of_the_operations_with_its_target_or_none(batch):
    images, targets, seeds = batch
    choice = OneOf((Mixup(alpha=1.0), Cutout(size=2.0)), (0.5, 0.3))

    changed, mixed = choice(images, targets, seeds)

    of_each = [
        change(images, targets, folded(seeds, place))
        for place, change in enumerate(choice.operations)
    ]
    is_which = [
        np.all(changed == pixels, axis=(1, 2, 3)) & np.all(mixed == labels, axis=1)
        for pixels, labels in (*of_each, (images, targets))
    ]
    assert np.all(np.sum(is_which, axis=0) == 1)
    shares = np.mean(is_which, axis=1)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.04)


def test_it_mixes_targets_if_one_of_its_operations_does():
    assert OneOf().mixes_targets
    assert not OneOf((Cutout(),), (0.5,)).mixes_targets


def test_plain_values_stand_for_its_operations():
    values = {"name": "one_of", "operations": ["mixup", {"name": "cutout", "size": 0.25}]}

    made = operation({**values, "probabilities": [0.5, 0.25]})

    assert made == OneOf((Mixup(), Cutout(size=0.25)), (0.5, 0.25))


@pytest.mark.parametrize(
    ("operations", "probabilities", "message"),
    [
        (("mixup", "cutmix"), (0.5,), "one probability for each of its 2 operations"),
        (("mixup", "cutmix"), (0.7, 0.5), "of sum 1 at most"),
        (("mixup", "cutmx"), (0.5, 0.5), "Nearest names: cutmix"),
        (("mixup",), (-0.5,), "probabilities must be a number from 0"),
        (("mixup", "cutmix"), 0.5, "one probability for each"),
        ("mixup", (1.0,), "operations must be a list, not 'mixup'"),
    ],
)
def test_what_does_not_fit_is_refused(operations, probabilities, message):
    with pytest.raises(ConfigError, match=message):
        OneOf(operations, probabilities)
