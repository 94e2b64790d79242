"""A list file of a million images: seconds and memory to load it.

    python benchmarks/list_files.py --work FOLDER [--rows 1000000]

The rows name hard links to a thousand small JPEG files in a thousand folders, so that each
path is a file of its own to look at while the disk holds only a thousand. The list is loaded
by three fresh processes: the first checks every image, the others find them checked.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = 1000
CLASSES = 1000


def main():
    """Write the list where it is not there, and load it three times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="a folder for images and list")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--load", action="store_true", help="only load the list, and print")
    arguments = parser.parse_args()
    file = arguments.work / f"list_of_{arguments.rows}.txt"
    if arguments.load:
        load(file)
        return
    if not file.exists():
        write(file, arguments.rows)
    home = arguments.work / f"home_{time.time_ns()}"
    for state in ("never checked", "checked before", "checked before"):
        print(f"{arguments.rows:,} rows, {state}:", flush=True)
        subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--load"],
            env={**os.environ, "HUBCLS_HOME": str(home)},
            check=True,
        )


def write(file, rows):
    """The images, and a list of them in random order."""
    photos = file.parent / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.jpg")
    lines = []
    for row in range(rows):
        label = row % CLASSES
        path = file.parent / f"images/{label:04}/image_{row:08}.jpg"
        if row < CLASSES:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            os.link(photos / f"{row % PHOTOS}.jpg", path)
        lines.append(f"{path.relative_to(file.parent)} {label}\n")
    random.shuffle(lines)
    file.write_text("".join(lines))


def load(file):
    """Load the list, and print what it took."""
    from hubcls.datasets import ImageList

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, before_cpu = time.perf_counter(), time.process_time()
    dataset = ImageList(file, test_fraction=0)
    seconds = time.perf_counter() - start
    of_cpu = time.process_time() - before_cpu
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"  {dataset}")
    print(
        f"  {seconds:.1f} s, of which {of_cpu:.1f} s computing; "
        f"memory {before / 1024:,.0f} MB before, {after / 1024:,.0f} MB peak"
    )


if __name__ == "__main__":
    main()
