"""Checkpoints written opcode by opcode: honest ones, and ones that no honest writer makes."""

import io
import pickle
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest


def plain(value):
    """The opcodes that leave a plain Python value on the stack."""
    return pickle.dumps(value, protocol=2)[2:-1]


def name(module, attribute):
    """The opcodes that leave a named object on the stack."""
    return f"c{module}\n{attribute}\n".encode()


def called(function, *arguments):
    """The opcodes of a call."""
    return function + b"(" + b"".join(arguments) + b"tR"


def tensor(key, num_items, *, offset=0, shape=(), strides=(), kind="FloatStorage"):
    """The opcodes of a tensor, as torch.save writes them."""
    identity = (plain("storage"), name("torch", kind), plain(key), plain("cpu"), plain(num_items))
    storage = b"(" + b"".join(identity) + b"tQ"
    hooks = called(name("collections", "OrderedDict"))
    rest = (plain(offset), plain(shape), plain(strides), plain(False), hooks)
    return called(name("torch._utils", "_rebuild_tensor_v2"), storage, *rest)


def array_type(code="f4", state=(3, "<", None, None, None, -1, -1, 0)):
    """The opcodes of a NumPy type."""
    made = called(name("numpy", "dtype"), plain(code), plain(False), plain(True))
    return made + plain(state) + b"b"


def array(shape=(6,), data=bytes(24), *, dtype=None, numbers=None):
    """The opcodes of an array, as NumPy 1 pickles it in protocol 2.

    `dtype` and `numbers` are opcodes, the latter in place of those of `data`.
    """
    arguments = (name("numpy", "ndarray"), plain((0,)), plain(b"b"))
    made = called(name("numpy.core.multiarray", "_reconstruct"), *arguments)
    state = (plain(1), plain(shape), dtype or array_type(), plain(False), numbers or plain(data))
    return made + b"(" + b"".join(state) + b"tb"


def dictionary(**entries):
    """The opcodes of a dictionary."""
    items = b"".join(plain(key) + value for key, value in entries.items())
    return b"}(" + items + b"u"


def program(opcodes):
    """A whole pickle of protocol 2."""
    return b"\x80\x02" + opcodes + b"."


@dataclass(frozen=True)
class Writer:
    """Checkpoint files around a pickle and its storages."""

    folder: Path
    plain = staticmethod(plain)
    name = staticmethod(name)
    called = staticmethod(called)
    tensor = staticmethod(tensor)
    array_type = staticmethod(array_type)
    array = staticmethod(array)
    dictionary = staticmethod(dictionary)
    program = staticmethod(program)
    storages: dict = field(default_factory=lambda: {"0": np.arange(6, dtype="<f4")})

    def zip(self, pickled, *, root="archive", extra=(), compression=zipfile.ZIP_STORED):
        """A checkpoint in the format since PyTorch 1.6."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as archive:
            archive.writestr(f"{root}/data.pkl", pickled)
            for key, numbers in self.storages.items():
                archive.writestr(f"{root}/data/{key}", numbers.tobytes())
            for entry, content in extra:
                archive.writestr(entry, content)
        return self.file(stream.getvalue())

    def legacy(self, pickled, *, header=None, keys=None):
        """A checkpoint in the format before PyTorch 1.6."""
        magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
        machine = pickle.dumps({"little_endian": True}, protocol=2)
        content = header or magic + pickle.dumps(1001, protocol=2) + machine
        content += pickled + (keys or pickle.dumps(list(self.storages), protocol=2))
        for numbers in self.storages.values():
            content += struct.pack("<q", numbers.size) + numbers.tobytes()
        return self.file(content)

    def pdparams(self, pickled):
        """A checkpoint of PaddlePaddle, which is a pickle alone."""
        return self.file(pickled)

    def file(self, content):
        """A file of these bytes."""
        path = self.folder / "weights.pth"
        path.write_bytes(content)
        return path


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path)
