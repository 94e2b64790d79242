"""One of several operations for each image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from hubcls.errors import ConfigError
from hubcls.images.operations.chance import folded, uniform
from hubcls.images.operations.mixing import CutMix, Mixup
from hubcls.images.operations.table import Batch, Operation, looked_up, refuse_outside


@dataclass(frozen=True)
class OneOf:
    """One of several operations, drawn for each image, or none of them.

    By default Mixup or CutMix, as DeiT is trained: Touvron et al. 2021, arXiv:2012.12877,
    table 9.

    Attributes:
        operations: names and mappings stand for operations of the table.
        probabilities: of each operation, as many; what is missing to 1 is the probability
            that nothing happens.
    """

    operations: tuple[Operation, ...] = (Mixup(alpha=0.8), CutMix(alpha=1.0))
    probabilities: tuple[float, ...] = (0.5, 0.5)

    def __post_init__(self) -> None:
        """Look up operations that are named.

        Raises:
            ConfigError: an operation is wrong, or the probabilities do not fit.
        """
        operations, wrong = looked_up(self.operations)
        object.__setattr__(self, "operations", operations)
        if wrong:
            raise ConfigError("OneOf is wrong:\n  " + "\n  ".join(wrong))
        refuse_outside(self, probabilities=(0.0, 1.0))
        given: Any = self.probabilities
        probabilities = tuple(given) if isinstance(given, Sequence) else (given,)
        object.__setattr__(self, "probabilities", probabilities)
        # Ten times 0.1 is a little less, three times 0.4 never.
        if len(probabilities) != len(operations) or sum(probabilities) > 1 + 1e-6:
            raise ConfigError(
                f"OneOf needs one probability for each of its {len(operations)} operations, of "
                f"sum 1 at most, not {list(probabilities)}"
            )

    @property
    def mixes_targets(self) -> bool:
        """Whether one of the operations does."""
        return any(each.mixes_targets for each in self.operations)

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Each image and its target after the operation that was drawn for it."""
        draws = uniform(seeds, 1)[:, 0]
        result = images, targets
        ends = itertools.accumulate(self.probabilities, initial=0.0)
        for place, (change, (begin, end)) in enumerate(
            zip(self.operations, itertools.pairwise(ends), strict=True)
        ):
            is_drawn = (draws >= begin) & (draws < end)
            changed = change(images, targets, folded(seeds, place))
            result = (
                tf.where(is_drawn[:, tf.newaxis, tf.newaxis, tf.newaxis], changed[0], result[0]),
                tf.where(is_drawn[:, tf.newaxis], changed[1], result[1]),
            )
        return result
