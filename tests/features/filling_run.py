"""Fills a shelf pair after pair until it is killed, or for as many pairs as it is told."""

import sys

import numpy as np

from hubcls.features.store import Shelf


def fill(name, first, pairs):
    shelf = Shelf(name, (256,))
    for number in range(first, first + pairs):
        keys = np.frombuffer(
            b"".join(int(number * 100 + row).to_bytes(16, "little") for row in range(100)), np.uint8
        ).reshape(-1, 16)
        rows = np.repeat(np.arange(100, dtype=np.float32)[:, None] + number * 100, 256, axis=1)
        shelf.add(keys, rows)
        print(number, flush=True)


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
