"""Checkpoints that attack: every one is refused, and nothing in it runs."""

import builtins
import copyreg
import os
import pickle
import subprocess
import tracemalloc
import zipfile

import numpy as np
import pytest

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights import read_arrays


class Attack:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class WithState:
    """Pickles as a class, built without a call, and a state for it."""

    def __reduce_ex__(self, protocol):
        return copyreg.__newobj__, (WithState,), {"x": 1}


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "the_attack_ran"


def calls(marker):
    """Calls that would create the marker file."""
    code = f"open({str(marker)!r}, 'w').close()"
    return {
        "os.system": Attack(os.system, f"touch {marker}"),
        "subprocess.check_call": Attack(subprocess.check_call, ["touch", str(marker)]),
        "eval": Attack(builtins.eval, code.removesuffix(".close()")),
        "exec": Attack(builtins.exec, code),
        "open": Attack(builtins.open, str(marker), "w"),
        "os.mkdir": Attack(os.mkdir, str(marker)),
        "nested pickle": Attack(pickle.loads, pickle.dumps(Attack(os.mkdir, str(marker)))),
    }


ATTACKS = list(calls(""))


@pytest.mark.parametrize("form", ["zip", "pdparams"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_call_in_a_checkpoint_is_refused(attack, protocol, form, writer, marker):
    pickled = pickle.dumps({"weight": calls(marker)[attack]}, protocol=protocol)
    path = getattr(writer, form)(pickled)

    with pytest.raises(UnsafeCheckpointError):
        read_arrays(path)

    assert not marker.exists()
    pickle.loads(pickled)  # noqa: S301 - the proof that the attack is a live one
    assert marker.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize("place", ["header", "pickled", "keys"])
def test_a_call_anywhere_in_a_legacy_checkpoint_is_refused(place, protocol, writer, marker):
    attack = pickle.dumps(Attack(os.mkdir, str(marker)), protocol=protocol)
    good = writer.program(writer.dictionary(w=writer.tensor("0", 6, shape=(6,), strides=(1,))))
    path = writer.legacy(**{"pickled": good, place: attack})

    with pytest.raises(WeightsError):
        read_arrays(path)

    assert not marker.exists()
    pickle.loads(attack)  # noqa: S301 - the proof that the attack is a live one
    assert marker.exists()


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("__builtin__", "eval"),
        ("posix", "system"),
        ("torch", "load"),
        ("torch", "nn.modules.module.torch"),
        ("torch", "FloatStorage.__init__"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch.serialization", "os.system"),
        ("torch.storage", "_load_from_bytes"),
        ("collections", "OrderedDict.__class__"),
        ("hubcls.weights.unpickling", "pickle.loads"),
        ("numpy", "load"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("functools", "partial"),
        ("", ""),
    ],
)
def test_names_outside_the_list_are_refused_by_both_opcodes(module, attribute, writer):
    by_line = writer.name(module, attribute)
    by_stack = writer.plain(module) + writer.plain(attribute) + b"\x93"

    for opcodes in (by_line, by_stack):
        with pytest.raises(UnsafeCheckpointError):
            read_arrays(writer.zip(writer.program(writer.dictionary(w=opcodes))))


def test_getattr_cannot_reach_from_an_allowed_object_to_a_forbidden_one(writer, marker):
    allowed = writer.name("torch._utils", "_rebuild_tensor_v2")
    reach = writer.called(writer.name("builtins", "getattr"), allowed, writer.plain("__call__"))
    run = writer.called(reach, writer.plain(str(marker)))

    with pytest.raises(UnsafeCheckpointError, match=r"builtins\.getattr"):
        read_arrays(writer.zip(writer.program(writer.dictionary(w=run))))

    assert not marker.exists()


@pytest.mark.parametrize("form", ["zip", "pdparams"])
@pytest.mark.parametrize(
    "opcodes",
    [
        b"(imain\nWithState\n",  # INST
        b"(cmain\nWithState\no",  # OBJ
        b"ccollections\nOrderedDict\n)\x81",  # NEWOBJ
        b"ccollections\nOrderedDict\n)}\x92",  # NEWOBJ_EX
        b"\x82\x01",  # EXT1
        b"P1\n",  # PERSID
        b"\x97",  # NEXT_BUFFER
        b"\x8f",  # EMPTY_SET
    ],
)
def test_instructions_that_no_framework_writes_are_refused(opcodes, form, writer):
    with pytest.raises(UnsafeCheckpointError, match="instruction"):
        read_arrays(getattr(writer, form)(writer.program(writer.dictionary(w=opcodes))))


@pytest.mark.parametrize("form", ["zip", "pdparams"])
def test_objects_of_other_classes_are_refused(form, writer):
    with pytest.raises(UnsafeCheckpointError):
        read_arrays(getattr(writer, form)(pickle.dumps({"args": WithState()}, protocol=2)))


@pytest.mark.parametrize("target", ["_rebuild_tensor_v2", "_rebuild_parameter"])
@pytest.mark.parametrize("state", [{"__call__": 1}, (None, {"__call__": 1, "__class__": 2})])
def test_a_pickle_cannot_change_what_the_allowed_names_do(target, state, writer):
    changed = writer.name("torch._utils", target) + writer.plain(state) + b"b"
    honest = writer.dictionary(w=writer.tensor("0", 6, shape=(6,), strides=(1,)))

    with pytest.raises(WeightsError):
        read_arrays(writer.zip(writer.program(writer.dictionary(w=changed))))

    arrays = read_arrays(writer.zip(writer.program(honest)))
    np.testing.assert_array_equal(arrays["w"], np.arange(6))


def test_further_pickles_in_a_zip_checkpoint_are_never_opened(writer, marker):
    attack = pickle.dumps(Attack(os.mkdir, str(marker)))
    honest = writer.dictionary(w=writer.tensor("0", 6, shape=(6,), strides=(1,)))
    extra = [("archive/constants.pkl", attack), ("archive/code/data.pkl", attack)]

    arrays = read_arrays(writer.zip(writer.program(honest), extra=extra))

    assert list(arrays) == ["w"]
    assert not marker.exists()


def test_two_main_pickles_in_a_zip_checkpoint_are_refused(writer, marker):
    attack = pickle.dumps(Attack(os.mkdir, str(marker)))
    honest = writer.program(writer.dictionary())

    with pytest.raises(WeightsError):
        read_arrays(writer.zip(honest, extra=[("other/data.pkl", attack)]))

    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_entries_of_one_name_are_refused(writer):
    honest = writer.program(writer.dictionary())

    with pytest.raises(UnsafeCheckpointError, match="two entries"):
        read_arrays(writer.zip(honest, extra=[("archive/data.pkl", honest)]))


def test_compressed_entries_are_refused_before_they_grow(writer):
    writer.storages["0"] = np.zeros(1_000_000, "<f4")
    path = writer.zip(writer.program(writer.dictionary()), compression=zipfile.ZIP_DEFLATED)

    with pytest.raises(UnsafeCheckpointError, match="compressed"):
        read_arrays(path)


def test_a_storage_key_cannot_name_a_file_outside_the_archive(writer):
    for key in ("../data.pkl", "/etc/passwd", "../../../../etc/passwd"):
        opcodes = writer.dictionary(w=writer.tensor(key, 6, shape=(6,), strides=(1,)))
        with pytest.raises(WeightsError, match="lacks storages"):
            read_arrays(writer.zip(writer.program(opcodes)))


@pytest.mark.parametrize(
    "view",
    [
        {"offset": 1, "shape": (6,), "strides": (1,)},
        {"offset": 10**9, "shape": (1,), "strides": (1,)},
        {"offset": -1, "shape": (2,), "strides": (1,)},
        {"offset": 5, "shape": (6,), "strides": (-1,)},
        {"shape": (-1,), "strides": (1,)},
        {"shape": (7,), "strides": (1,)},
        {"shape": (2, 3), "strides": (4, 1)},
        {"shape": (10**6, 10**6), "strides": (0, 0)},
        {"shape": (2**40,), "strides": (0,)},
        {"shape": (2**62, 4), "strides": (2**62, 1)},
        {"shape": (0, 2**62), "strides": (1, 1)},
        {"shape": (0, 2**31, 2**31, 2**31), "strides": (1, 1, 1, 1)},
        {"shape": (1,) * 65, "strides": (1,) * 65},
        {"shape": (6,), "strides": ()},
        {"shape": (True,), "strides": (1,)},
        {"shape": (6.0,), "strides": (1,)},
        {"shape": "6", "strides": (1,)},
        {"offset": None, "shape": (6,), "strides": (1,)},
    ],
)
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_tensors_that_reach_outside_their_storage_are_refused(form, view, writer):
    pickled = writer.program(writer.dictionary(w=writer.tensor("0", 6, **view)))
    path = getattr(writer, form)(pickled)

    with pytest.raises(UnsafeCheckpointError, match="outside its storage"):
        read_arrays(path)


@pytest.mark.parametrize("num_items", [7, 2**40, 2**62, -1, None, "6"])
@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_storages_that_claim_more_than_the_file_has_are_refused(form, num_items, writer):
    opcodes = writer.dictionary(w=writer.tensor("0", num_items, shape=(6,), strides=(1,)))
    path = getattr(writer, form)(writer.program(opcodes))

    with pytest.raises(WeightsError):
        read_arrays(path)


@pytest.mark.parametrize("form", ["zip", "pdparams"])
@pytest.mark.parametrize(
    "opcodes",
    [
        b"Nr\xff\xff\xff\x7f",  # a memo place far away: LONG_BINPUT
        b"X\xff\xff\xff\x7f",  # text of two gigabytes: BINUNICODE
        b"B\xff\xff\xff\xff",  # bytes of four gigabytes: BINBYTES
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x0f",  # BINBYTES8
        b"\x8b\xff\xff\xff\x7f",  # a number of two gigabytes: LONG4
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x0f",  # a frame: FRAME
    ],
)
def test_huge_sizes_in_a_pickle_reserve_no_memory(opcodes, form, writer):
    path = getattr(writer, form)(writer.program(opcodes))

    tracemalloc.start()
    with pytest.raises(WeightsError):
        read_arrays(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 10_000_000


def test_many_tensors_may_share_a_storage_without_copies(writer):
    writer.storages["0"] = np.zeros(1_000_000, "<f4")
    one = writer.tensor("0", 1_000_000, shape=(1_000_000,), strides=(1,))
    path = writer.zip(writer.program(writer.dictionary(**{f"w{i}": one for i in range(200)})))

    tracemalloc.start()
    arrays = read_arrays(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(arrays) == 200
    assert peak_bytes < 40_000_000


@pytest.mark.parametrize("form", ["zip", "pdparams"])
@pytest.mark.parametrize(
    "opcodes",
    [
        b"]" * 100_000 + b"a" * 99_999,  # lists in lists
        b"})" + b"\x85" * 1_000_000 + b"Ns",  # a tuple whose hash overflows the C stack
        b"})" + b"q\x00h\x00\x86" * 1_000_000 + b"Ns",  # the same by way of the memo
    ],
    ids=["lists", "tuple as key", "memo"],
)
def test_values_nested_too_deeply_are_refused_before_they_are_built(opcodes, form, writer):
    with pytest.raises(UnsafeCheckpointError, match="nested"):
        read_arrays(getattr(writer, form)(writer.program(opcodes)))


def doubled(levels):
    """A tuple that holds one tuple twice, that one another twice, and so on."""
    value = ()
    for _ in range(levels):
        value = (value, value)
    return value


@pytest.mark.parametrize("form", ["zip", "pdparams"])
@pytest.mark.parametrize("levels", [1, 60])
def test_a_dictionary_key_that_would_hash_for_ever_is_refused(levels, form, writer):
    entry = b"}(" + writer.plain(doubled(levels)) + b"Nu"
    pairs = b"]" + writer.plain(doubled(levels)) + b"N\x86a"
    by_call = writer.called(writer.name("collections", "OrderedDict"), pairs)

    for opcodes in (entry, by_call):
        with pytest.raises(UnsafeCheckpointError, match="neither text nor numbers"):
            read_arrays(getattr(writer, form)(writer.program(opcodes)))


@pytest.mark.parametrize("place", ["offset", "shape", "strides"])
def test_a_message_about_a_huge_value_stays_short(place, writer):
    view = {"shape": (6,), "strides": (1,), place: doubled(60)}

    with pytest.raises(WeightsError) as caught:
        read_arrays(writer.zip(writer.program(writer.dictionary(w=writer.tensor("0", 6, **view)))))

    assert len(str(caught.value)) < 10_000


@pytest.mark.parametrize("form", ["zip", "pdparams"])
def test_a_named_dictionary_cannot_be_multiplied(form, writer):
    make = writer.name("collections", "OrderedDict") + b"q\x00"
    pairs = b"](" + b"".join(b"K" + bytes([i]) + b"N\x86" for i in range(200)) + b"eq\x01"
    again = b"h\x00h\x01\x85R" * 20_000
    copies = b"](" + make + pairs + b"\x85R" + again + b"e"

    tracemalloc.start()
    with pytest.raises(WeightsError):
        read_arrays(getattr(writer, form)(writer.program(copies)))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 20_000_000


@pytest.mark.parametrize("keys", [[0], ["0", "0"], [], ["0", "1"], "0", {"0": 1}, [("0",)]])
def test_a_legacy_list_of_storages_must_be_exact(keys, writer):
    pickled = writer.program(writer.dictionary(w=writer.tensor("0", 6, shape=(6,), strides=(1,))))

    with pytest.raises(WeightsError, match="list of storages"):
        read_arrays(writer.legacy(pickled, keys=pickle.dumps(keys, protocol=2)))


def test_a_long_state_dict_is_not_mistaken_for_a_deep_one(writer):
    one = writer.tensor("0", 6, shape=(6,), strides=(1,))
    batches = b"}" + b"".join(b"(" + writer.plain(f"w{batch}") + one + b"u" for batch in range(300))

    arrays = read_arrays(writer.zip(writer.program(batches)))

    assert len(arrays) == 300
