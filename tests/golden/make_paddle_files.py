"""Write tests/weights/files/*.pdparams and *.tar*: checkpoints as PaddlePaddle writes them.

    pip install paddlepaddle==3.3.1
    python tests/golden/make_paddle_files.py

Every tensor counts 0, 1, 2, … in its own order, so that a test knows its values from
its shape alone.
"""

import gzip
import inspect
import io
import tarfile
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.framework import io as paddle_io
from paddle.framework import io_utils

FOLDER = Path(__file__).resolve().parents[1] / "weights" / "files"
DTYPES = (
    "float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool",
)  # fmt: skip


def main():
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    save_pickles()
    split_large_arrays()
    paddle.enable_static()
    with tempfile.TemporaryDirectory() as folder, paddle.pir_utils.OldIrGuard():
        save_static(Path(folder))


def save_pickles():
    """What paddle.save makes of dictionaries of tensors."""
    types = {name: paddle.arange(6).reshape([2, 3]).astype(name) for name in DTYPES}
    types["scalar"] = paddle.to_tensor(5.0)
    types["none"] = paddle.zeros([0, 3])
    for protocol in (2, 3, 4):
        paddle.save(types, str(FOLDER / f"types.protocol{protocol}.pdparams"), protocol=protocol)
    state = network().state_dict()
    for tensor in state.values():
        tensor.set_value(counted(tensor.shape))
    paddle.save(state, str(FOLDER / "state_dict.pdparams"))
    wrapped = {"epoch": 3, "metric": np.float32(0.5), "state_dict": state}
    for protocol in (2, 4):
        paddle.save(wrapped, str(FOLDER / f"wrapped.protocol{protocol}.pdparams"), protocol)


def split_large_arrays():
    """What paddle.save does to arrays of a gibibyte, done to arrays of 64 bytes."""
    source = inspect.getsource(io_utils._unpack_saved_dict)
    exec(source.replace("2**30", "2**6"), vars(io_utils))  # noqa: S102 - paddle's own code
    paddle_io._unpack_saved_dict = io_utils._unpack_saved_dict
    state = {"large": paddle.arange(60.0).reshape([3, 20]), "small": paddle.arange(3.0)}
    paddle.save(state, str(FOLDER / "split.pdparams"), protocol=2)


def save_static(folder):
    """What a static graph makes of its variables: one pickle, and one file for each."""
    program, start = paddle.static.Program(), paddle.static.Program()
    with paddle.static.program_guard(program, start):
        network()(paddle.static.data("images", [None, 3, 4, 4]))
        for name in DTYPES:
            paddle.static.create_global_var([2, 3], 0, name, persistable=True, name=f"types/{name}")
    executor = paddle.static.Executor(paddle.CPUPlace())
    executor.run(start)
    variables = [variable for variable in program.list_vars() if variable.persistable]
    for variable in variables:
        tensor = paddle.static.global_scope().find_var(variable.name).get_tensor()
        dtype = np.array(tensor).dtype
        numbers = counted(tensor.shape())
        # bfloat16 travels as uint16: the upper half of a float32.
        bits = (numbers.view(np.uint32) >> 16).astype(dtype)
        tensor.set(bits if dtype == np.uint16 else numbers.astype(dtype), paddle.CPUPlace())
        paddle.static.io.save_vars(
            executor, str(folder), program, vars=[variable], filename=variable.name
        )
    archive = pack(folder)
    (FOLDER / "static_pretrained.tar").write_bytes(archive)
    (FOLDER / "static_pretrained.tar.gz").write_bytes(gzip.compress(archive, mtime=0))
    paddle.static.save(program, str(folder / "static"), protocol=2)
    (FOLDER / "static.pdparams").write_bytes((folder / "static.pdparams").read_bytes())


def pack(folder):
    """A tar archive of a folder, the same whenever and by whomever it is made."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path in (folder, *sorted(folder.rglob("*"))):
            name = Path("static_pretrained", path.relative_to(folder)).as_posix()
            archive.add(path, name, recursive=False, filter=anonymous)
    return stream.getvalue()


def anonymous(entry):
    """The entry without owner and time."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def network():
    """A convolution and a batch normalisation."""
    layers = OrderedDict(conv=nn.Conv2D(3, 2, 1), bn=nn.BatchNorm2D(2))
    return nn.Sequential(*layers.items())


def counted(shape):
    """0, 1, 2, … in the shape, float32."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


if __name__ == "__main__":
    main()
