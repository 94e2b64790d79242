"""Checkpoints in the formats of other frameworks, written without them, for tests."""

import io
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import safetensors.numpy
from recipes import drawn_weight

_TENSOR_TYPES = {"float32": 5, "int64": 3}
_STORAGES = {"float32": b"FloatStorage", "int64": b"LongStorage"}


def drawn_arrays(shapes, *, gain=1.0, is_paddle=False):
    """A checkpoint of drawn weights; a scalar is a counter or a table that nobody loads."""
    return {
        key: drawn_weight(key, shape, gain=gain, is_paddle=is_paddle)
        if shape
        else np.zeros((), np.int64)
        for key, shape in shapes.items()
    }


def write(path, arrays, file_format):
    """Write arrays to a file in one of the catalogue's formats.

    Args:
        path: where to.
        arrays: by key, float32 or int64.
        file_format: "safetensors", "pth", "pdparams" or "paddle_tar".
    """
    if file_format == "safetensors":
        safetensors.numpy.save_file(arrays, path)
    elif file_format == "pth":
        _write_pth(path, arrays)
    elif file_format == "pdparams":
        path.write_bytes(pickle.dumps({**arrays, "StructuredToParameterName@@": {}}, protocol=4))
    else:
        _write_tar(path, arrays)


def _write_pth(path, arrays):
    """As torch.save has written since 1.6: a pickle that names entries of a zip archive."""
    items = b"".join(
        _plain(key) + _tensor(str(place), array)
        for place, (key, array) in enumerate(arrays.items())
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + items + b"u.")
        for place, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{place}", np.ascontiguousarray(array).tobytes())


def _tensor(key, array):
    """The pickle instructions that rebuild a tensor from an entry."""
    storage = b"(" + _plain("storage") + b"ctorch\n" + _STORAGES[array.dtype.name] + b"\n"
    storage += _plain(key) + _plain("cpu") + _plain(array.size) + b"tQ"
    # NumPy makes a vector of a scalar that is to be contiguous.
    strides = np.ascontiguousarray(array).strides[: array.ndim]
    strides = tuple(stride // array.itemsize for stride in strides)
    hooks = b"ccollections\nOrderedDict\n(tR"
    rest = _plain(0) + _plain(array.shape) + _plain(strides) + _plain(False) + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def _plain(value):
    return pickle.dumps(value, protocol=2)[2:-1]


def _write_tar(path, arrays):
    """As PaddlePaddle's static graphs were saved: a folder with one file for each variable."""
    with tarfile.open(path, "w") as archive:
        for key, array in arrays.items():
            content = _lod_tensor(array)
            entry = tarfile.TarInfo(f"pretrained/{key}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _lod_tensor(array):
    described = b"\x08" + bytes([_TENSOR_TYPES[array.dtype.name]])
    described += b"".join(b"\x10" + _varint(side) for side in array.shape)
    head = struct.pack("<IQIi", 0, 0, 0, len(described))
    return head + described + np.ascontiguousarray(array).tobytes()


def _varint(number):
    groups = []
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])
