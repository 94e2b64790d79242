"""Independent seeds for every use of chance, all drawn from the run's one seed."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed in [0, 2**31) that depends on `seed` and on what it is for.

    Two purposes never share a stream, and adding a third does not move the others.

    Example:
        >>> derived_seed(0, "shuffle") == derived_seed(0, "shuffle")
        True
        >>> derived_seed(0, "shuffle") == derived_seed(0, "crop")
        False
    """
    text = ":".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "little") & 0x7FFFFFFF


@contextlib.contextmanager
def initializers_seeded(seed: int) -> Iterator[None]:
    """Within it, Keras draws the seeds of random weights and layers anew from `seed`.

    Keras asks Python's own generator for them, whose state is put back at the end.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
