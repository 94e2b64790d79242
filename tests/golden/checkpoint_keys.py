"""The tensors inside published checkpoints: every key with its shape, no weights.

    keys_of("timm", "resnet50")["conv1.weight"] == (64, 3, 7, 7)

checkpoint_keys.xz holds them; make_checkpoint_keys.py writes it and says where they are
from. A test that builds a network can so prove, without a download, that its names and
shapes are those of the file.
"""

import functools
import lzma
from pathlib import Path

PATH = Path(__file__).with_name("checkpoint_keys.xz")
LIBRARIES = ("paddle", "paddle_static", "timm", "torchvision")
SCALAR = "scalar"


def keys_of(library, model):
    """Key to shape, in the checkpoint's own order.

    A scalar's shape is (). So is, for want of a better one, that of PaddleClas's buffers
    relative_position_index, attn_mask and attention_bias_idxs, which nobody loads: their
    true shapes are not recorded, nor whether a block without a shift saves its attn_mask.

    Args:
        library: "paddle" (PaddleClas, .pdparams), "paddle_static" (PaddlePaddle's archives of
            one file a tensor, in the order of PaddleClas's keys), "timm" or "torchvision".
        model: the library's name: "ResNet50_vd", "resnet50.tv_in1k", "alexnet". The tag of
            a timm model may be left out where all its tags have the same tensors.
    """
    keys, shapes = _table_of(library, model)
    return dict(zip(keys, map(_shape, shapes), strict=True))


def models(library):
    """The names that `keys_of` knows, in alphabetical order, timm's with their tags."""
    return sorted(name for owner, name in _tables() if owner == library)


def _table_of(library, model):
    tables = _tables()
    if (library, model) in tables:
        return tables[library, model]
    tagged = [name for name in models(library) if name.split(".")[0] == model]
    if library != "timm" or not tagged:
        raise KeyError(f"no table of {library}'s {model!r}")
    found = [tables[library, name] for name in tagged]
    if any(table != found[0] for table in found):
        raise KeyError(f"{model!r} is several networks: {', '.join(tagged)}")
    return found[0]


@functools.cache
def _tables():
    """(Library, model) to its keys and, as text, its shapes.

    The file's first part has a list of keys a line. In the second, a line is the number of
    such a list, the models that have these tensors, and the shapes of the keys.
    """
    names, _, rows = lzma.decompress(PATH.read_bytes()).decode().partition("\n\n")
    lists = [line.split(" ") for line in names.split("\n")]
    tables = {}
    for row in rows.splitlines():
        number, owners, *shapes = row.split(" ")
        for owner in owners.split(","):
            tables[tuple(owner.split("/", 1))] = (lists[int(number)], shapes)
    return tables


def _shape(text):
    return () if text == SCALAR else tuple(int(side) for side in text.split("x"))
