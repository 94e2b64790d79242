"""How many of PaddleClas' training configurations `hubcls convert-config` takes over.

A file is whole where nothing is left out, has gaps where some of its keys have no counterpart,
and is refused where `hubcls train` would not take the result, its data apart.

    git clone https://github.com/PaddlePaddle/PaddleClas
    python benchmarks/paddleclas_configs.py PaddleClas/ppcls/configs/ImageNet [--files]
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

from hubcls.config.converting import converted
from hubcls.errors import ConfigError


def main() -> None:
    """Count, and print the counts and the gaps by key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", action="store_true", help="say of each file what it is")
    arguments = parser.parse_args()
    kinds: Counter[str] = Counter()
    gaps: Counter[str] = Counter()
    for path in sorted(arguments.folder.rglob("*.yaml")):
        kind, keys = of_file(path)
        kinds[kind.partition(":")[0]] += 1
        gaps.update(set(keys))
        if arguments.files:
            print(f"{path.relative_to(arguments.folder)}: {kind}", *sorted(keys), sep="\n    ")
    for kind, count in kinds.most_common():
        print(f"{count:5} {kind}")
    print("gaps, by the number of files:")
    for key, count in gaps.most_common():
        print(f"{count:5} {key}")


def of_file(path: Path) -> tuple[str, list[str]]:
    """What became of a file, and the keys that are its gaps."""
    try:
        conversion = converted(path)
    except ConfigError as error:
        return f"not of PaddleClas 2's form: {error}", []
    keys = [re.sub(r"#\d+", "", line.partition(":")[0]) for line in conversion.not_mapped]
    if conversion.problems:
        return f"refused: {' '.join(conversion.problems)}", keys
    return ("with gaps" if keys else "whole"), keys


if __name__ == "__main__":
    main()
