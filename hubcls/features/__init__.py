"""What frozen parts of networks make of images: computed once, kept, and read again."""

from hubcls.features.cutting import Trunk, frozen_trunk, trunk_at, trunks
from hubcls.features.passing import Features, features_of, logits_of

__all__ = [
    "Features",
    "Trunk",
    "features_of",
    "frozen_trunk",
    "logits_of",
    "trunk_at",
    "trunks",
]
