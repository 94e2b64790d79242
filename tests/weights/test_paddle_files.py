"""`.pdparams` as PaddlePaddle, NumPy and both Pythons write them."""

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from hubcls.errors import WeightsError
from hubcls.weights import read_arrays

FOLDER = Path(__file__).parent / "files"
COUNTED = np.arange(6, dtype="<f4").reshape(2, 3)


def pickled_as_by_python_2(entries):
    """A dictionary of float32 arrays as cPickle wrote it: bytes for text, memo from 1."""
    stream = io.BytesIO()
    pickler = pickle._Pickler(stream, protocol=2)
    pickler.dispatch = {**pickler.dispatch, bytes: save_string}
    pickler.memoize = lambda value: memoize_from_one(pickler, value)
    pickler.dump({key.encode(): Python2Array(array) for key, array in entries.items()})
    return stream.getvalue()


class Python2Array:
    """Pickles as an array did, whose numbers were a byte string."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        reconstruct, _, _ = self.array.__reduce__()
        state = (1, self.array.shape, Python2Type(), False, self.array.tobytes())
        return reconstruct, (np.ndarray, (0,), b"b"), state


class Python2Type:
    """Pickles as the type of float32 numbers did."""

    def __reduce__(self):
        return np.dtype, (b"f4", 0, 1), (3, b"<", None, None, None, -1, -1, 0)


def save_string(pickler, value):
    short = len(value) < 256
    pickler.write(b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value)))
    pickler.write(value)
    pickler.memoize(value)


def memoize_from_one(pickler, value):
    place = len(pickler.memo) + 1
    pickler.write(pickler.put(place))
    pickler.memo[id(value)] = place, value


def kinds_of(arrays):
    return {key: array.dtype.name for key, array in arrays.items()}


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_every_number_type_of_paddle_is_read(protocol):
    arrays = read_arrays(FOLDER / f"types.protocol{protocol}.pdparams")

    assert arrays.pop("scalar").shape == ()
    assert arrays.pop("none").shape == (0, 3)
    assert kinds_of(arrays) == {
        "float32": "float32", "float16": "float16", "bfloat16": "float32", "float64": "float64",
        "int64": "int64", "int32": "int32", "int16": "int16", "int8": "int8", "uint8": "uint8",
        "bool": "bool",
    }  # fmt: skip
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, COUNTED.astype(key if key == "bool" else "f4"))


def test_a_state_dict_keeps_its_keys_and_loses_the_table_of_names():
    arrays = read_arrays(FOLDER / "state_dict.pdparams")

    assert list(arrays) == [
        "conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn._mean", "bn._variance",
    ]  # fmt: skip
    assert arrays["conv.weight"].shape == (2, 3, 1, 1)
    np.testing.assert_array_equal(arrays["conv.weight"].ravel(), np.arange(6))


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_saved_with_their_names_are_found_in_a_training_checkpoint(protocol):
    wrapped = read_arrays(FOLDER / f"wrapped.protocol{protocol}.pdparams")

    plain = read_arrays(FOLDER / "state_dict.pdparams")
    assert list(wrapped) == list(plain)
    for key, array in plain.items():
        np.testing.assert_array_equal(wrapped[key], array)


def test_variables_of_a_static_graph_are_read():
    arrays = read_arrays(FOLDER / "static.pdparams")

    assert arrays["conv2d_0.w_0"].shape == (2, 3, 1, 1)
    assert arrays["batch_norm2d_0.w_2"].tolist() == [0, 1]


def test_arrays_saved_in_slices_are_put_together():
    arrays = read_arrays(FOLDER / "split.pdparams")

    assert sorted(arrays) == ["large", "small"]
    np.testing.assert_array_equal(arrays["large"], np.arange(60).reshape(3, 20))


def test_files_of_numpy_1_are_read(tmp_path):
    content = (FOLDER / "types.protocol2.pdparams").read_bytes()
    path = tmp_path / "numpy_1.pdparams"
    path.write_bytes(content.replace(b"numpy._core", b"numpy.core"))

    arrays = read_arrays(path)

    assert b"numpy._core" in content
    np.testing.assert_array_equal(arrays["float32"], COUNTED)


def test_files_of_python_2_are_read(writer):
    large = np.linspace(-1, 1, 100, dtype="<f4")
    pickled = pickled_as_by_python_2({"a": COUNTED, "b": large})

    arrays = read_arrays(writer.pdparams(pickled))

    assert list(pickle.loads(pickled, encoding="latin1")) == ["a", "b"]  # noqa: S301 - our own
    np.testing.assert_array_equal(arrays["a"], COUNTED)
    np.testing.assert_array_equal(arrays["b"], large)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_both_orders_of_numbers_are_read(order, protocol, writer):
    array = np.array(COUNTED, order=order)

    arrays = read_arrays(writer.pdparams(pickle.dumps({"a": array}, protocol)))

    np.testing.assert_array_equal(arrays["a"], COUNTED)


@pytest.mark.parametrize("order", ["C", "F"])
def test_bfloat16_is_widened_in_both_orders(order, writer):
    bits = np.array((COUNTED.view(np.uint32) >> 16).astype(np.uint16), order=order)

    arrays = read_arrays(writer.pdparams(pickle.dumps({"a": bits, "b": bits[0, 1]})))

    np.testing.assert_array_equal(arrays["a"], COUNTED)
    assert isinstance(arrays["b"], np.ndarray)
    assert arrays["b"] == 1


def test_arrays_that_must_not_be_written_to_are_read(writer):
    array = COUNTED.copy()
    array.flags.writeable = False

    arrays = read_arrays(writer.pdparams(pickle.dumps({"a": array}, 5)))

    np.testing.assert_array_equal(arrays["a"], COUNTED)


def test_numbers_behind_a_length_of_eight_bytes_are_read(writer):
    long = b"\x8e" + struct.pack("<Q", 24) + COUNTED.tobytes()
    pickled = writer.program(writer.dictionary(a=writer.array(numbers=long)))

    arrays = read_arrays(writer.pdparams(pickled))

    np.testing.assert_array_equal(arrays["a"], COUNTED.ravel())


def test_a_list_of_pairs_makes_an_ordered_dictionary(writer):
    pairs = b"]]" + writer.plain("a") + b"a" + writer.array() + b"aa"
    opcodes = writer.called(writer.name("collections", "OrderedDict"), pairs)

    assert list(read_arrays(writer.pdparams(writer.program(opcodes)))) == ["a"]


def test_an_ordered_dictionary_is_read(writer):
    entries = OrderedDict(b=COUNTED, a=COUNTED)

    assert list(read_arrays(writer.pdparams(pickle.dumps(entries, 2)))) == ["b", "a"]


def test_one_array_under_two_keys_is_read_once(writer):
    arrays = read_arrays(writer.pdparams(pickle.dumps({"a": COUNTED, "b": COUNTED})))

    assert arrays["a"] is arrays["b"]


def test_entries_that_are_no_tensors_are_named(writer):
    pickled = pickle.dumps({"a": COUNTED, "LR_Scheduler": {"step": 3}, "epoch": 7})

    with pytest.raises(WeightsError, match="no tensors: LR_Scheduler, epoch"):
        read_arrays(writer.pdparams(pickled))


def test_numbers_of_a_big_endian_machine_are_refused(writer):
    with pytest.raises(WeightsError, match="big-endian"):
        read_arrays(writer.pdparams(pickle.dumps({"a": COUNTED.astype(">f4")})))


def test_bytes_behind_the_pickle_are_an_error(writer):
    with pytest.raises(WeightsError, match="bytes follow"):
        read_arrays(writer.pdparams(pickle.dumps({"a": COUNTED}) + b"\0"))
