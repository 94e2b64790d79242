"""Foreign checkpoints: read them safely, and put them into Keras networks strictly."""

from hubcls.weights.loading import (
    Naming,
    closest_naming,
    keras_leaves,
    leaves_of,
    load_arrays,
    without_parallel_prefix,
)
from hubcls.weights.matching import Slot, match
from hubcls.weights.reading import read_arrays

__all__ = [
    "Naming",
    "Slot",
    "closest_naming",
    "keras_leaves",
    "leaves_of",
    "load_arrays",
    "match",
    "read_arrays",
    "without_parallel_prefix",
]
