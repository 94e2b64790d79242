"""Write modules/imagenet_classes.txt: ImageNet-1k's synsets and a name for each, in order.

    pip install -r tests/golden/requirements.txt
    python tests/golden/make_imagenet_classes.py

timm ships the order of the classes and WordNet's lemmas for every synset. A class is
called by its first lemma; the two cranes and the two maillots are told apart.
"""

import importlib.util
from pathlib import Path

SAME_LEMMA = {
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n03710637": "maillot (tights)",
    "n03710721": "maillot (tank suit)",
}


def main():
    """Write the file, one "synset name" a line."""
    # timm's folder without timm, whose import takes torch.
    [package] = importlib.util.find_spec("timm").submodule_search_locations
    info = Path(package) / "data" / "_info"
    synsets = (info / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    lemmas = dict(
        line.split("\t")
        for line in (info / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    )
    names = [SAME_LEMMA.get(synset, lemmas[synset].split(",")[0].strip()) for synset in synsets]
    if not len(set(names)) == len(synsets) == 1000:
        raise SystemExit("ImageNet-1k has 1000 classes of different names")
    lines = [f"{synset} {name}\n" for synset, name in zip(synsets, names, strict=True)]
    path = Path(__file__).resolve().parents[2] / "modules" / "imagenet_classes.txt"
    path.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
