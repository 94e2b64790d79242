"""The cases of all recipes in parity/, and the tables of keys that belong to them."""

from pathlib import Path

import yaml
from checkpoint_keys import keys_of, models
from references import Case

FOLDER = Path(__file__).with_name("parity")
_LIBRARIES = {"paddleclas": "paddle"}
# PaddleClas widened the class after it had published the weights (pull request 1926).
_WITHOUT_TABLE = {"ShuffleNetV2_x2_0_pretrained.pdparams", "ShuffleNetV2_x2_0_pretrained.tar"}


def cases():
    """Every case with the name of its family, which is the recipe's."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for values in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]:
            yield path.stem, Case(**values)


def shapes_of(case):
    """Keys and shapes of the checkpoint that a case is about."""
    return keys_of(_LIBRARIES.get(case.library, case.library), case.keys or case.model)


def shapes_of_weights(weights):
    """Keys and shapes of a file that the catalogue names; None where no table holds them."""
    stem = weights.file.removesuffix(f".{weights.format}")
    if weights.file in _WITHOUT_TABLE:
        return None
    if weights.publisher == "timm":
        return keys_of("timm", stem)
    if weights.publisher == "torchvision":
        name = weights.file.split("-")[0].removesuffix("_google")
        if name in models("torchvision"):
            return keys_of("torchvision", name)
        return keys_of("timm", f"{name}.tv_in1k")  # which holds the very keys
    if weights.publisher == "paddle":
        return keys_of("paddle", stem.removesuffix("_pretrained"))
    if weights.publisher == "paddle_static":
        return keys_of("paddle_static", weights.file.removesuffix("_pretrained.tar"))
    return None
