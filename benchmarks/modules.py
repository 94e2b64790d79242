"""How long the catalogue takes to list, and each network of our own to build.

    python benchmarks/modules.py [NAME ...]

Prints a table: seconds from `Module(name, weights=None)` to its backbone, the slowest
first; and the median time of `hubcls modules list` as a process.
"""

import statistics
import subprocess
import sys
import time

import keras

import hubcls
from hubcls.modules import finding


def main(names):
    """Time the listing, then every building."""
    print(f"hubcls modules list: {statistics.median(listing() for _ in range(5)):.2f} s")
    names = names or [spec.name for spec in finding.specs() if can_be_ours(spec)]
    took = {name: building(name) for name in names}
    for name in sorted(took, key=took.__getitem__, reverse=True):
        print(f"{took[name]:6.1f} s  {name}")
    print(f"{len(took)} modules, median {statistics.median(took.values()):.1f} s")


def can_be_ours(spec):
    """Whether one of the row's publishers has weights for a network of hubcls' own."""
    return any(variant.source == "native" for variant in spec.variants)


def listing():
    """Seconds of one process that lists all modules."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "hubcls", "modules", "list"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def building(name):
    """Seconds to build one network with random weights."""
    started = time.perf_counter()
    _ = hubcls.Module(name, weights=None).backbone
    seconds = time.perf_counter() - started
    keras.backend.clear_session()
    return seconds


if __name__ == "__main__":
    main(sys.argv[1:])
