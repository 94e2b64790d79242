"""Handwritten digits that scikit-learn brings along: real images without a network."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from hubcls.datasets.base import Dataset, DatasetInfo, Split, divided
from hubcls.datasets.finding import spec

_HIGHEST_VALUE = 16


class Digits(Dataset):
    """1,797 digits of 8 x 8 pixels: 70 % train, 15 % validation, 15 % test, stratified."""

    def __init__(self, *, seed: int = 0) -> None:
        """Load the digits.

        Args:
            seed: which digits go where; figures in the documentation use 0.
        """
        pixels, labels = load_digits(return_X_y=True)
        images = np.rint(pixels * (255 / _HIGHEST_VALUE)).astype(np.uint8).reshape(-1, 8, 8, 1)
        whole = Split(images, labels.astype(np.int64))
        row = spec("digits")
        super().__init__(
            DatasetInfo(
                name=row.name,
                class_names=row.class_names,
                keeps_label=row.keeps_label,
                licence=row.licence,
                source="scikit-learn",
            ),
            divided(whole, val_fraction=0.15, test_fraction=0.15, seed=seed),
        )
