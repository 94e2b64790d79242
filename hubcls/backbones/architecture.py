"""What a native architecture answers, whatever it is built of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Architecture(Protocol):
    """A network's numbers, complete: the same numbers give the same layers and names."""

    def feature_map(self, x: Any) -> Any:
        """The last feature map [B, h, w, C] of normalised images [B, H, W, 3]."""

    def logits(self, feature_map: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""

    def key_prefixes(self) -> Mapping[str, Mapping[str, str]]:
        """For each known naming of checkpoints: layer's name → what its keys begin with."""
