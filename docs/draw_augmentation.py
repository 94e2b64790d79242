"""Draw docs/images/augmentation_*.jpg from the photographs that scikit-learn brings.

python docs/draw_augmentation.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images

from hubcls.cli.augment import augmentation_sheet
from hubcls.datasets.base import Split
from hubcls.images.augmenting import Augmentation
from hubcls.preprocessing import Preprocessing

FOLDER = Path(__file__).resolve().parent / "images"
SHEETS = {
    "policies": (
        "auto_augment", "rand_augment", "trivial_augment_wide", "augmix", "color_jitter", "rotation"
    ),
    "mixing": (
        "mixup", "cutmix", "one_of", "cutout", "random_erasing", "hide_and_seek", "grid_mask"
    ),
}  # fmt: skip
SEED = 12


def main() -> None:
    """Draw both sheets, of three rows, for chance to show."""
    photographs = np.stack(load_sample_images().images * 2)
    split = Split(photographs, np.zeros(len(photographs)))
    for name, operations in SHEETS.items():
        augmentation = Augmentation(operations=tuple(operations))
        sheet = augmentation_sheet(
            split, Preprocessing(224, 224), augmentation, num_images=3, seed=SEED
        )
        sheet.save(FOLDER / f"augmentation_{name}.jpg", quality=65, optimize=True)


if __name__ == "__main__":
    main()
