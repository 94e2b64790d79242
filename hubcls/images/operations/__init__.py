"""What training changes at random in whole batches: mixing, erasing, and learned policies.

Each operation is a frozen dataclass that is called with images, targets and one seed an
image. `table.py` has their names and says what a call promises.
"""

from hubcls.images.operations.alternatives import OneOf
from hubcls.images.operations.erasing import Cutout, GridMask, HideAndSeek, RandomErasing
from hubcls.images.operations.jittering import ColorJitter, Rotation
from hubcls.images.operations.mixing import CutMix, Mixup
from hubcls.images.operations.policies import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from hubcls.images.operations.table import OPERATIONS, Operation, operation

__all__ = [
    "OPERATIONS",
    "AugMix",
    "AutoAugment",
    "ColorJitter",
    "CutMix",
    "Cutout",
    "GridMask",
    "HideAndSeek",
    "Mixup",
    "OneOf",
    "Operation",
    "RandAugment",
    "RandomErasing",
    "Rotation",
    "TrivialAugmentWide",
    "operation",
]
