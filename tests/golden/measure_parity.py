"""Measure every case of the recipes, and write docs/parity.md.

    python tests/golden/measure_parity.py [FAMILY ...]

Without families all are measured, which takes an hour on two cores; with some, the others
keep what measured.json says of them.
"""

import importlib.metadata
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from golden_file import read
from parity_cases import FOLDER, cases

ROOT = Path(__file__).resolve().parents[2]
RESULTS = FOLDER / "measured.json"
PAGE = ROOT / "docs" / "parity.md"
INTRO = """<!-- Written by tests/golden/measure_parity.py; do not edit. -->

# Parity

Each network of hubcls' own is compared with the one that it claims to be: timm's, torchvision's
or PaddleClas'. Weights are drawn from the keys of its checkpoint, written to a file in the
reference's names and format, and loaded by `hubcls.Module(name, weights=file)`; the reference
computed its logits from the same weights and the same image. The difference is the largest of
all classes', in units of the logits' standard deviation; the aim is below 1e-4.
PaddleClas' files of the same networks whose numbers are not compared are held by their keys and
shapes. PaddlePaddle's old archives (publisher paddle_static) fill the very weights that those
files fill, by the names that PaddleClas' classes and PaddlePaddle's programs state; no published
archive could be had. Reference logits lie in `tests/golden/parity/`, and
`pytest tests/golden -m "slow or not slow"` compares them anew: tests/golden/README.md.
"""


def main(families):
    """Measure, remember after every case, and write the page."""
    for family, case in cases():
        if not families or family in families:
            difference = difference_of(family, case)
            remember(case.name, difference)
            print(f"{case.name}: {difference:.1e}", flush=True)
    PAGE.write_text(page(known_results()), encoding="utf-8")


def known_results():
    """What has been measured, of the cases that there are."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return {case.name: results[case.name] for _, case in cases() if case.name in results}


def remember(name, difference):
    """Put one measured case into measured.json."""
    results = dict(sorted({**known_results(), name: difference}.items()))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def difference_of(family, case):
    """A case's difference, measured with a checkpoint in a folder that is then removed."""
    from parity_measuring import measured

    with tempfile.TemporaryDirectory() as folder:
        return float(f"{measured(family, case, Path(folder)).difference:.2e}")


def page(results):
    """docs/parity.md from the differences by case."""
    groups = defaultdict(list)
    for family, case in cases():
        if case.name in results:
            groups[family].append(case)
    rows = [family_row(family, groups[family], results) for family in sorted(groups)]
    heading = ["family", "modules", "cases", "compared with", "largest difference"]
    packages = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("keras", "tensorflow", "numpy")
    )
    lines = [heading, ["---"] * len(heading), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    measured_with = f"Measured in float32 on a CPU with {packages}."
    return f"{INTRO}\n{table}\n\n{measured_with}\n"


def family_row(family, chosen, results):
    """One line of the table."""
    facts = read(FOLDER / f"{family}.npz")[1]["cases"]
    references = sorted(
        {
            f"{case.library} {fact['versions'][case.library]}, {fact['dtype']}"
            for case in chosen
            for fact in [facts[case.name]]
        }
    )
    largest = max(results[case.name] for case in chosen)
    modules = len({case.module for case in chosen})
    return [family, str(modules), str(len(chosen)), "; ".join(references), f"{largest:.0e}"]


if __name__ == "__main__":
    main(set(sys.argv[1:]))
