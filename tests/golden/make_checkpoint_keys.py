"""Write checkpoint_keys.xz: keys and shapes of the checkpoints that our presets may load.

    python tests/golden/make_checkpoint_keys.py FOLDER

FOLDER holds tables of model, key and shape ("64x3x7x7"; nothing for a scalar, or where
it is not known), separated by tabs, under a line of titles:

    paddle_keys.tsv.gz  state_dict() of PaddleClas's classes, branch develop
    timm_keys.tsv.gz    state_dict() of timm 1.0.31, and as torchvision/NAME of torchvision 0.29

and static_names.tsv, which `make_references.py --static-names` prints: a model of PaddleClas's,
a key of its state_dict() and the name of that variable in the old archives of one file a tensor;
and zoo.tsv, one preset a line, whose columns paddle_name, timm_model and origin say which
models are kept: those of presets of PaddlePaddle's, PaddleHub's and PaddleClas's lists up to
release/2.2 (origin is not "later"), and all of torchvision. The old archives whose tables are
kept, in the order of PaddleClas's keys, are those that the catalogue names. Nothing is left out
of a table: integer buffers stay.
"""

import csv
import gzip
import lzma
import re
import sys
from pathlib import Path

import static_programs

from hubcls.modules import finding

PATH = Path(__file__).with_name("checkpoint_keys.xz")
SCALAR = "scalar"
# Keys and shapes are short lines of text: no alignment, and the longest matches.
FILTERS = [
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "pb": 0,
        "nice_len": 273,
        "depth": 1000,
    }
]


def main(folder):
    """Read the tables, write the file."""
    tables = chosen(Path(folder))
    tables |= dict(archives(tables, read_names(Path(folder) / "static_names.tsv")))
    text = written(tables)
    PATH.write_bytes(lzma.compress(text.encode(), filters=FILTERS))
    print(f"{len(tables)} models, {PATH.stat().st_size} bytes")


def chosen(folder):
    """(Library, model) to its keys and shapes, of the models that presets name."""
    with (folder / "zoo.tsv").open(encoding="utf-8", newline="") as file:
        presets = [row for row in csv.DictReader(file, delimiter="\t") if row["origin"] != "later"]
    wanted = {("paddle", row["paddle_name"]) for row in presets}
    wanted |= {("timm", row["timm_model"]) for row in presets}
    found = read(folder / "paddle_keys.tsv.gz", "paddle")
    found |= read(folder / "timm_keys.tsv.gz", "timm")
    return {
        owner: table for owner, table in found.items() if owner in wanted or "torchvision" in owner
    }


def archives(tables, names):
    """The tables of the archives that the catalogue names: static names, PaddleClas's shapes."""
    sources = [variant.weights for spec in finding.specs() for variant in spec.variants]
    for weights in sources:
        if weights is None or weights.format != "paddle_tar":
            continue
        model = weights.file.removesuffix("_pretrained.tar")
        # Trained otherwise, the same network.
        origin = re.sub(r"(_ACNet_deploy|_10w|(_ssld)?(_v2)?(_int8)?)$", "", model)
        origin = origin.replace("Fix_ResNet50", "ResNet50")
        keys, shapes = tables["paddle", origin]
        found = static_programs.names_of(origin) or [names[origin][key] for key in keys]
        table = dict(zip(found, shapes, strict=True))
        if "ACNet" in model:
            table = static_programs.acnet(table)
        yield ("paddle_static", model), (tuple(table), tuple(table.values()))


def read_names(path):
    """Model to key to static name."""
    names = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        model, key, name = line.split("\t")
        names.setdefault(model, {})[key] = name
    return names


def read(path, library):
    """(Library, model) to a tuple of keys and a tuple of shapes."""
    tables = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        next(file)
        for line in file:
            model, key, shape = line.rstrip("\r\n").split("\t")
            owner = tuple(model.split("/", 1)) if "/" in model else (library, model)
            keys, shapes = tables.setdefault(owner, ([], []))
            keys.append(key)
            shapes.append(shape or SCALAR)
    return {owner: (tuple(keys), tuple(shapes)) for owner, (keys, shapes) in tables.items()}


def written(tables):
    """The file's text: lists of keys, an empty line, models with their shapes.

    Many models share a list of keys, and some the shapes too: each stands once. Keys and
    shapes stand apart because they compress to half of the size so.
    """
    owners = {}
    for owner, table in tables.items():
        owners.setdefault(table, []).append("/".join(owner))
    numbers = {}
    rows = []
    for (keys, shapes), names in owners.items():
        number = numbers.setdefault(keys, len(numbers))
        rows.append(f"{number} {','.join(names)} {' '.join(shapes)}")
    return "\n".join(map(" ".join, numbers)) + "\n\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main(sys.argv[1])
