"""Files as PyTorch, safetensors and Keras write them, and damaged ones of every format."""

import hashlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights import read_arrays

FILES = sorted((Path(__file__).parent / "files").iterdir())
FORMS = ("zip", "legacy")


def torch_file(name, form):
    return Path(__file__).parent / "files" / f"{name}.{form}.pth"


@pytest.mark.parametrize("form", FORMS)
def test_every_number_type_of_torch_is_read(form):
    arrays = read_arrays(torch_file("types", form))

    assert {key: array.dtype.name for key, array in arrays.items()} == {
        "float32": "float32", "float16": "float16", "bfloat16": "float32", "float64": "float64",
        "int64": "int64", "int32": "int32", "uint8": "uint8", "bool": "bool",
    }  # fmt: skip
    assert arrays.pop("bool").tolist() == [[False, True, True], [True, True, True]]
    for array in arrays.values():
        np.testing.assert_array_equal(array, np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("form", [*FORMS, "protocol4"])
def test_views_on_one_storage_are_read_as_torch_sees_them(form):
    base = np.arange(24).reshape(4, 6)

    arrays = read_arrays(torch_file("views", form))

    np.testing.assert_array_equal(arrays["whole"], base)
    np.testing.assert_array_equal(arrays["transposed"], base.T)
    np.testing.assert_array_equal(arrays["part"], base[1:3, 2:5])
    np.testing.assert_array_equal(arrays["step"], base[::2, ::3])
    np.testing.assert_array_equal(arrays["scalar"], base[3, 5])
    assert arrays["none"].shape == (0, 6)


@pytest.mark.parametrize("form", FORMS)
def test_a_state_dict_keeps_its_keys_and_their_order(form):
    arrays = read_arrays(torch_file("state_dict", form))

    assert list(arrays) == [
        "conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
        "bn.num_batches_tracked",
    ]  # fmt: skip
    assert arrays["conv.weight"].shape == (2, 3, 1, 1)


@pytest.mark.parametrize("form", FORMS)
def test_a_state_dict_is_found_in_a_training_checkpoint(form):
    wrapped = read_arrays(torch_file("wrapped", form))

    assert list(wrapped) == list(read_arrays(torch_file("state_dict", form)))


@pytest.mark.parametrize("form", FORMS)
def test_parameters_are_read_as_their_tensors(form):
    arrays = read_arrays(torch_file("parameters", form))

    assert arrays["weight"].tolist() == [[0, 1], [2, 3]]


def test_memo_places_may_start_at_one_as_in_python_2(writer):
    entries = writer.dictionary(w=writer.tensor("0", 6, shape=(6,), strides=(1,)))

    arrays = read_arrays(writer.legacy(writer.program(b"}q\x01" + entries[1:])))

    np.testing.assert_array_equal(arrays["w"], np.arange(6))


def test_safetensors_are_read(tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.numpy.save_file({"a": np.ones((2, 3), np.float16), "b": np.arange(4)}, path)

    arrays = read_arrays(path)

    assert arrays["a"].shape == (2, 3)
    assert arrays["b"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("first_bytes", [b"\x80", b"PK", b"\x1f\x8b"])
def test_safetensors_are_known_whatever_bytes_their_length_begins_with(tmp_path, first_bytes):
    path = tmp_path / "weights.safetensors"
    content = safetensors.numpy.save({"a": np.ones(3, np.float32)})
    end = 8 + int.from_bytes(content[:8], "little")
    step = 256 ** len(first_bytes)
    size = int.from_bytes(first_bytes, "little")
    size += -(-max(end - 8 - size, 0) // step) * step
    path.write_bytes(size.to_bytes(8, "little") + content[8:end].ljust(size) + content[end:])

    assert path.read_bytes().startswith(first_bytes)
    np.testing.assert_array_equal(read_arrays(path)["a"], np.ones(3))


def test_bfloat16_in_safetensors_is_widened(tmp_path):
    path = tmp_path / "weights.safetensors"
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    bits = np.array([0x3FC0, 0xC000], "<u2").tobytes()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bits)

    assert read_arrays(path)["a"].tolist() == [1.5, -2.0]
    assert read_arrays(path)["a"].dtype == np.float32


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_keras_files_are_read_by_layer_name(suffix, tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="second")(
        keras.layers.Dense(2, name="first")(inputs)
    ))  # fmt: skip
    path = tmp_path / f"model{suffix}"
    model.save_weights(path) if suffix == ".weights.h5" else model.save(path)

    arrays = read_arrays(path)

    assert {key: array.shape for key, array in arrays.items() if "optimizer" not in key} == {
        "first/0": (2, 2), "first/1": (2,), "second/0": (2, 3), "second/1": (3,),
    }  # fmt: skip
    np.testing.assert_array_equal(arrays["second/0"], model.get_layer("second").kernel)


def test_links_out_of_a_keras_file_are_refused(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["numbers"] = np.arange(3)
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "numbers")

    with pytest.raises(UnsafeCheckpointError, match="link"):
        read_arrays(path)


def test_data_outside_a_keras_file_is_refused(tmp_path):
    outside = tmp_path / "outside.bin"
    outside.write_bytes(b"\0" * 80)
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        place = [(str(outside), 0, 80)]
        file.create_dataset("layers/dense/vars/0", (10,), "<f8", external=place)

    with pytest.raises(UnsafeCheckpointError, match="another file"):
        read_arrays(path)


def test_a_keras_file_that_claims_more_than_it_has_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**6, 10**6), "<f4", chunks=(100, 100))

    with pytest.raises(UnsafeCheckpointError, match="claims"):
        read_arrays(path)


def test_a_group_that_contains_itself_is_refused(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers")
        group["layers"] = group

    with pytest.raises(UnsafeCheckpointError, match="two places"):
        read_arrays(path)


def test_a_wrong_hash_is_refused_and_both_hashes_are_named():
    path = torch_file("state_dict", "zip")
    right = hashlib.sha256(path.read_bytes()).hexdigest()

    assert read_arrays(path, sha256=right)
    with pytest.raises(WeightsError, match=f"(?s){right}.*{'0' * 64}"):
        read_arrays(path, sha256="0" * 64)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"PK", b"<html>404</html>", b"\x89HDF\r\n\x1a\n", b"\0" * 100]
)
def test_files_of_no_known_format_are_named(content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)

    with pytest.raises(WeightsError, match=r"weights\.pth"):
        read_arrays(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nothing\.pth: the file cannot be read"):
        read_arrays(tmp_path / "nothing.pth")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_truncated_file_is_an_error_at_every_length(file, tmp_path):
    content = file.read_bytes()
    path = tmp_path / "cut.pth"

    # A tar archive ends in empty blocks; all is read without the last of them.
    for length in range(0, len(content.rstrip(b"\0")) - 1, 23):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError):
            read_arrays(path)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_damaged_file_gives_arrays_or_an_error_of_ours(file, tmp_path):
    content = bytearray(file.read_bytes())
    chance = np.random.default_rng(0)
    path = tmp_path / "damaged.pth"

    for _ in range(60):
        damaged = content.copy()
        for place in chance.integers(0, len(content), 2):
            damaged[place] = chance.integers(0, 256)
        path.write_bytes(damaged)
        try:
            arrays = read_arrays(path)
        except WeightsError:
            continue
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
