"""Pools and paddings against PyTorch's rules, written out in NumPy."""

import keras
import numpy as np
import pytest

from hubcls.backbones.blocks import average_pooled, convolved, divisible, max_pooled

# Where a rectifier has been, zeros stand in for minus infinity.
MAPS = np.random.default_rng(0).uniform(0, 1, (1, 11, 14, 2)).astype(np.float32)


def run(function, **options):
    x = keras.Input(MAPS.shape[1:])
    return np.asarray(keras.Model(x, function(x, name="layer", **options))(MAPS))


def windows(length, size, strides, padding, ceil):
    """Start and end of PyTorch's windows on one side; none starts in the padding behind."""
    steps = (length + 2 * padding - size + (strides - 1 if ceil else 0)) // strides + 1
    if ceil and (steps - 1) * strides >= length + padding:
        steps -= 1
    starts = [step * strides - padding for step in range(steps)]
    return [(max(start, 0), min(start + size, length)) for start in starts]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize(
    ("size", "strides", "padding"), [(3, 2, 0), (3, 2, 1), (2, 2, 0), (3, 1, 1)]
)
def test_max_pools_cut_pytorchs_windows(size, strides, padding, ceil):
    pooled = run(max_pooled, size=size, strides=strides, padding=padding, ceil=ceil)

    rows, columns = (windows(side, size, strides, padding, ceil) for side in MAPS.shape[1:3])
    wanted = [[MAPS[0, a:b, c:d].max(axis=(0, 1)) for c, d in columns] for a, b in rows]
    np.testing.assert_array_equal(pooled[0], wanted)


@pytest.mark.parametrize("ceil", [False, True])
def test_means_of_windows_over_the_edge_count_what_is_there(ceil):
    pooled = run(average_pooled, size=2, strides=2, ceil=ceil)

    rows, columns = (windows(side, 2, 2, 0, ceil) for side in MAPS.shape[1:3])
    wanted = [[MAPS[0, a:b, c:d].mean(axis=(0, 1)) for c, d in columns] for a, b in rows]
    np.testing.assert_allclose(pooled[0], wanted, rtol=1e-6)


def test_zeros_of_the_padding_count_in_a_mean():
    pooled = run(average_pooled, size=3, strides=1, padding=1)

    np.testing.assert_allclose(pooled[0, 0, 0], MAPS[0, :2, :2].sum(axis=(0, 1)) / 9, rtol=1e-6)


@pytest.mark.parametrize(
    ("padding", "first"),
    [("symmetric", (-1, 2)), ("same", (0, 3)), ("valid", (0, 3)), (2, (-2, 1))],
)
def test_a_convolution_of_stride_two_starts_where_its_padding_says(padding, first):
    x = keras.Input((10, 10, 1))
    model = keras.Model(x, convolved(x, 1, 3, strides=2, padding=padding, name="conv"))
    model.set_weights([np.ones((3, 3, 1, 1))])
    image = np.arange(100.0).reshape(1, 10, 10, 1)

    corner = float(np.asarray(model(image))[0, 0, 0, 0])

    inside = slice(max(first[0], 0), first[1])
    assert corner == image[0, inside, inside].sum()


@pytest.mark.parametrize(("filters", "expected"), [(1, 8), (11, 16), (12, 16), (19, 24), (90, 88)])
def test_channels_are_rounded_but_never_by_more_than_a_tenth(filters, expected):
    assert divisible(filters) == expected
