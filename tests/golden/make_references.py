"""Write parity/FAMILY.npz: what timm, torchvision and PaddleClas answer to a drawn image.

    python tests/golden/make_references.py FAMILY [MODULE ...]
    python tests/golden/make_references.py FAMILY [MODULE ...] --try-gains GAIN [GAIN ...]
    python tests/golden/make_references.py --static-names MODEL [MODEL ...]

The cases are those of parity/FAMILY.yaml. Each environment computes the cases whose
library it holds and keeps the others as they are; README.md says more.
"""

import argparse
import dataclasses
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import golden_file
import numpy as np
import references

PARITY = Path(__file__).with_name("parity")
CALM = (1e-3, 1e3)  # standard deviations that lose nothing in float32
STEADY = 3e-5  # largest share that float32's rounding may change
LIVELY = 0.02  # smallest share of the logits that depends on where in the image things are


def main():
    """Parse the command line, do what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family", nargs="?", help="name of the recipe in parity/")
    parser.add_argument("modules", nargs="*", help="only these rows of the catalogue")
    parser.add_argument(
        "--static-names", nargs="+", metavar="MODEL", help="print PaddleClas' parameter names"
    )
    parser.add_argument(
        "--try-gains", nargs="+", type=float, metavar="GAIN", help="report these, write nothing"
    )
    options = parser.parse_args()
    if options.static_names:
        return print_static_names(options.static_names)
    if not options.family:
        parser.error("name a family, or --static-names and models")
    path = PARITY / f"{options.family}.yaml"
    cases = references.read_recipe(path)
    unknown = set(options.modules) - {case.module for case in cases.values()}
    if unknown:
        raise SystemExit(f"{path.name} has no cases of {sorted(unknown)}")
    chosen = [case for case in cases.values() if case.module in (options.modules or {case.module})]
    if options.try_gains:
        return try_gains(chosen, options.try_gains)
    return make(path.with_suffix(".npz"), chosen, known=cases)


def make(path, chosen, *, known):
    """Compute what this environment can, write the golden file after every case."""
    failed = []
    for case in chosen:
        if not case.is_computable():
            print(f"{case.name}: kept, {case.library} is not installed")
            continue
        try:
            answer, about = apart(references.compute, case)
        except Exception as error:
            failed.append(case.name)
            print(f"FAILED {case.name}: {type(error).__name__}: {error}", flush=True)
            continue
        golden_file.update(path, case.name, answer, about, known=known)
        report(case.name, answer)
    if failed:
        raise SystemExit(f"{len(failed)} cases failed and are left as they were: {failed}")


def try_gains(chosen, gains):
    """Report what the cases would answer with other gains."""
    for case in chosen:
        for gain in gains if case.is_computable() else ():
            answer, _ = apart(references.compute, dataclasses.replace(case, gain=gain))
            report(f"{case.name} gain {gain}", answer)


def apart(function, *arguments):
    """A function's result, computed in a fresh process: Paddle's parameter names are global."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def report(name, answer):
    """One line about a case, and warnings about answers that would prove little."""
    spreads = {"logits": answer.logits.std()}
    spreads |= {f"stage {place}": std for place, (_, std) in enumerate(answer.stages)}
    stds = list(spreads.values())[1:]
    print(
        f"{name}: std of logits {spreads['logits']:.3g}, of stages {min(stds):.3g} to "
        f"{max(stds):.3g}; moved {answer.mirrored:.2g} by mirroring, "
        f"{answer.rounding or np.nan:.1g} by float32; {len(answer.shapes)} tensors",
        flush=True,
    )
    for place, std in spreads.items():
        if not CALM[0] <= std <= CALM[1]:
            print(f"WARNING {name}: std of {place} is {std:.3g}: set another gain")
    if answer.mirrored < LIVELY:
        print(f"WARNING {name}: the image hardly matters: set a larger gain")
    if answer.rounding and answer.rounding > STEADY:
        print(f"WARNING {name}: float32's rounding matters: set a smaller gain")


def print_static_names(models):
    """A line for every weight: model, key, name of its file."""
    from paddle_reference import static_names

    for model in models:
        for key, name in apart(static_names, model).items():
            print(model, key, name, sep="\t")


if __name__ == "__main__":
    main()
