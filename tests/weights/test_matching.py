import numpy as np
import pytest

from hubcls.errors import WeightsError
from hubcls.weights import Slot, match
from hubcls.weights.layouts import (
    convolution_from_paddle,
    convolution_from_torch,
    dense_from_paddle,
    dense_from_torch,
    depthwise_to_keras,
    scaled,
)

KERNEL = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)


def test_values_come_in_the_variables_layout_without_a_copy():
    slots = [Slot("conv/kernel", "conv.weight", (4, 5, 3, 2), convolution_from_torch)]

    values = match({"conv.weight": KERNEL}, slots)

    assert np.shares_memory(values["conv/kernel"], KERNEL)
    assert values["conv/kernel"][1, 2, 0, 1] == KERNEL[1, 0, 1, 2]


def test_layouts_put_every_axis_where_keras_wants_it():
    depthwise = np.zeros((8, 1, 3, 5))
    dense = np.arange(6.0).reshape(2, 3)

    assert convolution_from_torch(KERNEL, (4, 5, 3, 2)).shape == (4, 5, 3, 2)
    assert depthwise_to_keras(depthwise, (3, 5, 8, 1)).shape == (3, 5, 8, 1)
    np.testing.assert_array_equal(dense_from_torch(dense, (3, 2)), dense.T)
    np.testing.assert_array_equal(dense_from_torch(dense[:, :, None, None], (3, 2)), dense.T)
    np.testing.assert_array_equal(dense_from_paddle(dense, (2, 3)), dense)
    np.testing.assert_array_equal(dense_from_paddle(dense[:, :, None, None], (3, 2)), dense.T)


def test_a_dense_kernel_on_flattened_maps_is_a_convolution_as_large_as_the_map():
    shape, channels_first = (4, 5, 3, 2), KERNEL.reshape(2, -1)

    wanted = convolution_from_torch(KERNEL, shape)

    np.testing.assert_array_equal(convolution_from_torch(channels_first, shape), wanted)
    np.testing.assert_array_equal(convolution_from_paddle(channels_first.T, shape), wanted)


def test_a_factor_is_taken_after_the_layout():
    layout = scaled(dense_from_torch, 0.5)

    np.testing.assert_array_equal(layout(np.ones((2, 3), np.float32), (3, 2)), np.full((3, 2), 0.5))


def test_one_error_lists_both_leftovers_and_every_misfit():
    arrays = {
        "a": np.zeros(2, np.float32),
        "b": np.zeros(3, np.float32),
        "c": np.zeros(2, np.int64),
        "stranger": np.zeros(1, np.float32),
    }
    slots = [Slot("A", "a", (2,)), Slot("B", "b", (2,)), Slot("C", "c", (2,)), Slot("D", "d", (2,))]

    with pytest.raises(WeightsError) as caught:
        match(arrays, slots)

    message = str(caught.value)
    assert "D ('d')" in message
    assert "stranger" in message
    assert "B wants (2,), but 'b' has shape (3,)" in message
    assert "C wants (2,), but 'c' holds int64" in message
    assert "A " not in message


def test_a_kernel_with_too_few_axes_does_not_fit():
    slots = [Slot("conv/kernel", "conv.weight", (4, 5, 3, 2), convolution_from_torch)]

    with pytest.raises(WeightsError, match=r"has shape \(6,\)"):
        match({"conv.weight": np.zeros(6, np.float32)}, slots)


def test_shapes_are_compared_after_the_layout_not_by_their_number_of_elements():
    slots = [Slot("dense/kernel", "fc.weight", (2, 3), dense_from_torch)]

    with pytest.raises(WeightsError, match=r"in Keras' layout \(3, 2\)"):
        match({"fc.weight": np.zeros((2, 3), np.float32)}, slots)


def test_only_named_keys_may_be_left_over():
    arrays = {
        "a": np.zeros(1, np.float32),
        "bn.num_batches_tracked": np.zeros((), np.int64),
        "aux.weight": np.zeros(1, np.float32),
    }

    with pytest.raises(WeightsError, match=r"aux\.weight") as caught:
        match(arrays, [Slot("A", "a", (1,))], ignored=["*.num_batches_tracked"])

    assert "num_batches_tracked" not in str(caught.value)


def test_a_variable_is_filled_once():
    arrays = {"a": np.zeros(1, np.float32), "b": np.zeros(1, np.float32)}

    with pytest.raises(WeightsError, match="stand twice"):
        match(arrays, [Slot("A", "a", (1,)), Slot("A", "b", (1,))])


def test_a_long_list_is_cut_and_counted():
    arrays = {f"key{i}": np.zeros(1, np.float32) for i in range(100)}

    with pytest.raises(WeightsError, match="and 70 more"):
        match(arrays, [])
