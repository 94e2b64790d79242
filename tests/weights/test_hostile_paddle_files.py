"""`.pdparams` that attack by way of NumPy's and PaddlePaddle's own names."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights import read_arrays

HONEST_TYPE = (3, "<", None, None, None, -1, -1, 0)


class Attack:
    """Pickles as a call that makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "the_attack_ran"


@pytest.fixture
def read(writer):
    """Reads a dictionary with one entry, given by its opcodes."""

    def read_entry(opcodes, key="w"):
        return read_arrays(writer.pdparams(writer.program(writer.dictionary(**{key: opcodes}))))

    return read_entry


def hidden(marker):
    """Values that carry the attack where an honest file has numbers or tables."""
    attack = Attack(marker)
    objects = np.array([attack], dtype=object)
    fields = np.array([(1, attack)], dtype=[("a", "i4"), ("b", object)])
    return {
        "object array": {"w": objects},
        "object field": {"w": fields},
        "object scalar": {"w": fields[0]},
        "named tensor": {"w": ("tensor_0", objects)},
        "table of names": {"StructuredToParameterName@@": {"w": attack}},
        "table of slices": {"UnpackBigParamInfor@@": attack},
        "beside the weights": {"state_dict": {"w": np.ones(2)}, "epoch": attack},
        "key": {attack: np.ones(2)},
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("place", list(hidden("")))
def test_an_attack_hidden_in_an_array_or_a_table_is_refused(place, protocol, writer, marker):
    pickled = pickle.dumps(hidden(marker)[place], protocol)

    with pytest.raises(UnsafeCheckpointError):
        read_arrays(writer.pdparams(pickled))

    assert not marker.exists()
    try:
        pickle.loads(pickled)  # noqa: S301 - the proof that the attack is a live one
    except TypeError:
        assert place == "key"
    assert marker.exists()


def test_a_second_pickle_behind_the_first_is_never_opened(writer, marker):
    attack = pickle.dumps(Attack(marker))

    with pytest.raises(WeightsError, match="bytes follow"):
        read_arrays(writer.pdparams(pickle.dumps({"w": np.ones(2)}) + attack))

    assert not marker.exists()
    pickle.loads(attack)  # noqa: S301 - the proof that the attack is a live one
    assert marker.exists()


def test_the_call_of_eval_that_paddle_itself_writes_is_refused(writer):
    # paddle.save does so for static tensors that lie in lists.
    call = b"cbuiltins\neval\nX\x04\x00\x00\x00data}X\x04\x00\x00\x00dataK\x07s\x86R"
    pickled = writer.program(writer.dictionary(w=call))

    with pytest.raises(UnsafeCheckpointError, match=r"builtins\.eval"):
        read_arrays(writer.pdparams(pickled))

    assert pickle.loads(pickled) == {"w": 7}  # noqa: S301 - the proof that eval would run


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "getattr"),
        ("builtins", "bytearray"),
        ("builtins", "tuple.__subclasses__"),
        ("numpy", "load"),
        ("numpy", "memmap"),
        ("numpy", "matrix"),
        ("numpy", "ndarray.tofile"),
        ("numpy", "dtype.__reduce__"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy._core.multiarray", "_reconstruct.__self__"),
        ("numpy.core.numeric", "fromfunction"),
        ("numpy.core.records", "fromfile"),
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py.crackfortran", "myeval"),
        ("_codecs", "decode"),
        ("_codecs", "lookup"),
        ("_codecs", "encode.__self__"),
        ("codecs", "open"),
        ("paddle", "load"),
        ("paddle.utils", "run_check"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("collections", "OrderedDict.fromkeys"),
        ("hubcls.weights.numpy_pickles", "np.fromfile"),
    ],
)
def test_names_outside_the_list_are_refused_by_both_opcodes(module, attribute, read, writer):
    by_line = writer.name(module, attribute)
    by_stack = writer.plain(module) + writer.plain(attribute) + b"\x93"

    for opcodes in (by_line, by_stack):
        with pytest.raises(UnsafeCheckpointError):
            read(opcodes)


NAMES = [
    ("numpy", "ndarray"), ("numpy", "dtype"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy.core.numeric", "_frombuffer"),
    ("_codecs", "encode"), ("__builtin__", "bytes"), ("builtins", "tuple"),
    ("collections", "OrderedDict"),
]  # fmt: skip


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize(
    "state", [{"__call__": 1}, (None, {"_function": 1, "state": 2, "__class__": 3})]
)
def test_a_pickle_cannot_change_what_the_allowed_names_do(target, state, read, writer):
    with pytest.raises(WeightsError):
        read(writer.name(*target) + writer.plain(state) + b"b")

    assert list(read(writer.array())) == ["w"]


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize(
    "arguments", [(), (2**60,), ((2**60,),), ("a", 2**60), ((2**31, 2**31), "f8"), (None,) * 9]
)
def test_allowed_names_called_otherwise_give_no_array(target, arguments, read, writer):
    call = writer.called(writer.name(*target), *(writer.plain(value) for value in arguments))

    tracemalloc.start()
    with pytest.raises(WeightsError):
        read(call)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 1_000_000


def test_an_array_of_another_class_is_refused(read, writer):
    for kind in (writer.name("builtins", "tuple"), writer.name("numpy", "dtype"), b"N"):
        make = writer.name("numpy.core.multiarray", "_reconstruct")
        with pytest.raises(UnsafeCheckpointError, match="another class"):
            read(writer.called(make, kind, writer.plain((0,)), writer.plain("b")))


@pytest.mark.parametrize(
    "code", ["O", "O8", "V8", "S4", "U1", "M8", "c16", "f16", "", "f4,O", ">f4"]
)
def test_arrays_of_anything_but_numbers_are_refused(code, read, writer):
    with pytest.raises(UnsafeCheckpointError, match="of type"):
        read(writer.array(dtype=writer.array_type(code)))


@pytest.mark.parametrize(
    "state",
    [
        (3, "|", None, None, None, -1, -1, 63),  # says that the numbers are pointers to objects
        (3, "<", None, None, None, 8, 1, 0),  # another size
        (3, "<", ("f4", (10**6, 10**6)), None, None, -1, -1, 0),  # each number is an array
        (3, "<", None, ("a",), {"a": ("O", 0)}, 8, 8, 63),  # fields
        (4, "<", None, None, None, -1, -1, 0, {}),
        (3, "<"),
        {"names": ("a",)},
        "O",
    ],
)
def test_a_type_with_a_strange_state_is_refused(state, read, writer):
    with pytest.raises(UnsafeCheckpointError, match="unusual type"):
        read(writer.array(dtype=writer.array_type(state=state)))


def test_a_type_cannot_be_changed_once_it_is_set(read, writer):
    objects = writer.plain((3, "|", None, None, None, -1, -1, 63)) + b"b"

    with pytest.raises(UnsafeCheckpointError, match="second state"):
        read(writer.array(dtype=writer.array_type() + objects))


@pytest.mark.parametrize("made", ["array", "scalar"])
def test_an_array_cannot_be_changed_once_it_is_set(made, read, writer):
    scalar = writer.called(
        writer.name("numpy.core.multiarray", "scalar"), writer.array_type(), writer.plain(bytes(4))
    )
    honest = {"array": writer.array(), "scalar": scalar}[made]

    assert list(read(honest)) == ["w"]
    with pytest.raises(UnsafeCheckpointError, match="second state"):
        read(honest + writer.plain((1, (2**40,), None, False, b"")) + b"b")


def test_an_array_that_is_a_part_of_itself_is_an_error(read, writer):
    make = writer.called(
        writer.name("numpy.core.multiarray", "_reconstruct"),
        writer.name("numpy", "ndarray"),
        writer.plain((0,)),
        writer.plain("b"),
    )
    inside = b"K\x01" + writer.plain((6,)) + b"h\x02" + b"\x89" + b"h\x02"

    with pytest.raises(WeightsError, match="no type"):
        read(make + b"q\x02(" + inside + b"tb")


@pytest.mark.parametrize(
    "shape",
    [
        (7,), (5,), (), (2**40,), (2**62, 4), (2**64, 2**64), (0, 2**62), (0, 2**31, 2**31, 2**31),
        (-1,), (-6, -1), (True, 6), (6.0,), ("6",), [6], 6, None, (1,) * 65, ((6,),),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_the_bytes_are_refused(shape, read, writer):
    with pytest.raises(WeightsError):
        read(writer.array(shape))


@pytest.mark.parametrize("data", [b"", bytes(23), bytes(25), None, 24, [0] * 24, "€" * 24, ("a",)])
def test_numbers_of_another_length_or_kind_are_refused(data, read, writer):
    with pytest.raises(WeightsError):
        read(writer.array(data=data))


def test_a_message_about_a_huge_shape_stays_short(read, writer):
    shape = ()
    for _ in range(60):
        shape = (shape, shape)

    with pytest.raises(WeightsError) as caught:
        read(writer.array(shape))

    assert len(str(caught.value)) < 10_000


def test_bytes_in_other_encodings_are_refused(read, writer):
    for encoding in ("utf-32", "idna", "punycode", "rot13"):
        encode = writer.name("_codecs", "encode")
        data = writer.called(encode, writer.plain("a" * 24), writer.plain(encoding))
        with pytest.raises(UnsafeCheckpointError, match="another encoding"):
            read(writer.array(numbers=data))


@pytest.mark.parametrize("items", ["ab", {"a": 1}, ["a"], 3])
def test_tuples_are_made_of_tuples_alone(items, read, writer):
    with pytest.raises(UnsafeCheckpointError, match="tuple"):
        read(writer.called(writer.name("builtins", "tuple"), writer.plain(items)))


@pytest.mark.parametrize("again", ["encoded", "text"])
def test_a_few_bytes_cannot_name_the_same_numbers_again_and_again(again, writer):
    large = writer.plain("a" * 1_000_000)
    if again == "encoded":
        large = writer.called(writer.name("_codecs", "encode"), large, writer.plain("latin1"))
    # Other values take the first few places of the memo, again and again.
    places = b"".join(b"Nq" + bytes([place]) + b"a" for place in range(30))
    named = writer.array((250_000,), numbers=b"h\x1e")
    weights = writer.dictionary(**{f"w{index}": named for index in range(300)})
    entries = {"named": b"]" + places + large + b"q\x1ea", "state_dict": weights}
    path = writer.pdparams(writer.program(writer.dictionary(**entries)))

    tracemalloc.start()
    with pytest.raises(UnsafeCheckpointError, match="more numbers than"):
        read_arrays(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 20_000_000


SLICES = {"w@@.0": np.arange(4.0), "w@@.1": np.arange(2.0)}


@pytest.mark.parametrize(
    "table",
    [
        {"w": {"OriginShape": (7,), "slices": ["w@@.0", "w@@.1"]}},
        {"w": {"OriginShape": (4,), "slices": ["w@@.0", "w@@.0"]}},
        {"w": {"OriginShape": (8,), "slices": ["w@@.0", "w@@.0"]}},
        {"w": {"OriginShape": (6,), "slices": ["w@@.0", "missing"]}},
        {"w": {"OriginShape": (6,), "slices": ["w@@.0", 1]}},
        {"w": {"OriginShape": (6,), "slices": ["w@@.0", ["w@@.1"]]}},
        {"w": {"OriginShape": (6,), "slices": "w@@.0"}},
        {"w": {"OriginShape": (0,), "slices": []}},
        {"w": {"OriginShape": [6], "slices": ["w@@.0", "w@@.1"]}},
        {"w": {"OriginShape": (-1,), "slices": ["w@@.0", "w@@.1"]}},
        {"w": {"slices": ["w@@.0", "w@@.1"]}},
        {"w": ["w@@.0", "w@@.1"]},
        {"small": {"OriginShape": (6,), "slices": ["w@@.0", "w@@.1"]}},
        {7: {"OriginShape": (6,), "slices": ["w@@.0", "w@@.1"]}},
        {key: {"OriginShape": (4,), "slices": ["w@@.0"]} for key in "ab"},
        [],
        7,
    ],
)  # fmt: skip
def test_tables_of_slices_that_do_not_fit_are_refused(table, writer):
    entries = {**SLICES, "small": np.ones(1), "UnpackBigParamInfor@@": table}

    with pytest.raises(WeightsError):
        read_arrays(writer.pdparams(pickle.dumps(entries)))


@pytest.mark.parametrize("second", [np.arange(2), np.arange(2.0).reshape(1, 2), np.array(1.0)])
def test_slices_of_different_kinds_are_refused(second, writer):
    split = {"w": {"OriginShape": (4 + second.size,), "slices": ["w@@.0", "w@@.1"]}}
    entries = {**SLICES, "w@@.1": second, "UnpackBigParamInfor@@": split}

    with pytest.raises(WeightsError, match="do not fit"):
        read_arrays(writer.pdparams(pickle.dumps(entries)))


def test_one_slice_under_many_names_is_refused(writer):
    names = [f"w@@.{index}" for index in range(100)]
    entries = dict.fromkeys(names, np.zeros(1000))
    table = {"w": {"OriginShape": (100_000,), "slices": names}}

    with pytest.raises(UnsafeCheckpointError, match="two places"):
        read_arrays(writer.pdparams(pickle.dumps({**entries, "UnpackBigParamInfor@@": table})))
