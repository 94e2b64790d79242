"""What a runtime is: batches in, outputs back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Outputs = list[npt.NDArray[np.float32]]
"""One array [B, …] for each output of a model."""


class Runtime(Protocol):
    """A model made ready; computes a batch while the caller fetches the next one.

    Attributes:
        most_waiting: how many batches are begun before the first one is waited for.
    """

    most_waiting: int

    def begin(self, images: Any) -> Any:
        """Start on a batch [B, H, W, 3]; gives what `finish` wants."""

    def finish(self, begun: Any) -> Outputs:
        """The outputs of a batch that was begun."""


def computed(runtime: Runtime, batches: Iterable[Any]) -> Iterator[Outputs]:
    """The outputs of each batch, in order; holds no more than the batches in work."""
    waiting: deque[Any] = deque()
    try:
        for images in batches:
            waiting.append(runtime.begin(images))
            if len(waiting) > runtime.most_waiting:
                yield runtime.finish(waiting.popleft())
        while waiting:
            yield runtime.finish(waiting.popleft())
    finally:
        # Whoever stops reading leaves no batch half done.
        for begun in waiting:
            runtime.finish(begun)
