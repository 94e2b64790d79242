"""Write tests/weights/files/*.pth: small checkpoints as PyTorch itself writes them.

    pip install -r tests/golden/requirements.txt
    python tests/golden/make_torch_files.py

Every tensor counts 0, 1, 2, … in its own order, so that a test knows its values from
its shape alone.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "weights" / "files"
DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool")


def main():
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name, value in contents().items():
        for is_zip in (True, False):
            path = FOLDER / f"{name}.{'zip' if is_zip else 'legacy'}.pth"
            torch.save(value, path, _use_new_zipfile_serialization=is_zip)
    torch.save(contents()["views"], FOLDER / "views.protocol4.pth", pickle_protocol=4)


def contents():
    """What each file holds, by its name."""
    layer = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 2, 1), bn=nn.BatchNorm2d(2)))
    state = OrderedDict((key, counted(value)) for key, value in layer.state_dict().items())
    state._metadata = layer.state_dict()._metadata
    base = counted(torch.empty(4, 6))
    return {
        "types": {name: counted(torch.empty(2, 3)).to(getattr(torch, name)) for name in DTYPES},
        "views": {
            "whole": base,
            "transposed": base.t(),
            "part": base[1:3, 2:5],
            "step": base[::2, ::3],
            "scalar": base[3, 5],
            "none": base[:0],
        },
        "state_dict": state,
        "wrapped": {"epoch": 3, "state_dict": state, "optimizer": {"lr": [0.1, 0.01]}},
        "parameters": {"weight": nn.Parameter(counted(torch.empty(2, 2)))},
    }


def counted(tensor):
    """0, 1, 2, … in the tensor's shape."""
    numbers = torch.arange(tensor.numel(), dtype=torch.float32).reshape(tensor.shape)
    return numbers.to(tensor.dtype)


if __name__ == "__main__":
    main()
