"""One of many small operations for each image of a batch: the heart of the policies.

The images are sorted by what they chose, each operation runs once, on those alone, and
the results are put back in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from hubcls.images.operations.levels import (
    autocontrast,
    brightness,
    color,
    contrast,
    equalize,
    invert,
    posterize,
    sharpness,
    solarize,
)
from hubcls.images.operations.warping import WARPS, warp

_PIXEL_OPERATIONS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "autocontrast": autocontrast,
    "brightness": brightness,
    "color": color,
    "contrast": contrast,
    "equalize": equalize,
    "invert": invert,
    "posterize": posterize,
    "sharpness": sharpness,
    "solarize": solarize,
}
# The warps come first, so that their codes are their places in WARPS.
NAMES = (*WARPS, *_PIXEL_OPERATIONS, "identity")
IDENTITY = NAMES.index("identity")


@dataclass(frozen=True)
class Range:
    """A small operation's parameter, from no strength to full strength.

    Attributes:
        weakest: at strength 0.
        strongest: at strength 1.
        is_signed: half of the images get the opposite number.
    """

    weakest: float = 0.0
    strongest: float = 0.0
    is_signed: bool = False


def codes_of(names: tuple[str, ...]) -> np.ndarray:
    """The places of these names in `NAMES`, int32 [len(names)]."""
    return np.array([NAMES.index(name) for name in names], np.int32)


def parameters(
    ranges: Mapping[str, Range], codes: tf.Tensor, strengths: tf.Tensor, signs: tf.Tensor
) -> tf.Tensor:
    """What each image's operation is to be done with, float32 [n].

    Args:
        ranges: by name; those left out have parameter 0.
        codes: int32 [n], places in `NAMES`.
        strengths: float32 [n], 0 to 1; above 1 goes on past the strongest.
        signs: float32 [n], drawn from [0, 1).
    """
    rows = [ranges.get(name, Range()) for name in NAMES]
    weakest, strongest = (
        tf.gather(tf.constant([getattr(row, end) for row in rows], tf.float32), codes)
        for end in ("weakest", "strongest")
    )
    is_signed = tf.gather(tf.constant([row.is_signed for row in rows]), codes)
    values = weakest + (strongest - weakest) * strengths
    return tf.where(is_signed & (signs < 0.5), -values, values)


# Traced once for each size: a policy calls it up to nine times, and a trace takes a second.
@tf.function(autograph=False)  # type: ignore[untyped-decorator]
def apply_chosen(images: tf.Tensor, codes: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Each image after the operation that it chose.

    Args:
        images: uint8 [n, H, W, 3].
        codes: int32 [n], places in `NAMES`.
        values: float32 [n], from `parameters`.

    Returns:
        uint8 [n, H, W, 3].
    """
    groups = tf.maximum(codes - (len(WARPS) - 1), 0)  # all warps are group 0
    count = len(NAMES) - len(WARPS) + 1
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), groups, count)
    chosen = [[tf.gather(of_all, own) for of_all in (images, codes, values)] for own in places]
    results = [warp(*chosen[0])]
    for (pixels, _, own), apply in zip(chosen[1:-1], _PIXEL_OPERATIONS.values(), strict=True):
        results.append(apply(pixels, own))
    results.append(chosen[-1][0])
    return tf.ensure_shape(tf.dynamic_stitch(places, results), images.shape)
