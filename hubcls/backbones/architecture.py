"""What a native architecture answers, whatever it is built of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from hubcls.backbones.key_rules import KeyRules


class Architecture(Protocol):
    """A network's numbers, complete: the same numbers give the same layers and names.

    A layer is called as the keys of its weights begin in the reference implementation
    (timm's, torchvision's or PaddleClas'), so that one framework needs no renaming.
    """

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem and of every stage on normalised images [B, H, W, 3].

        The last is the backbone's output. A layer belongs to the first stage that needs
        it. Feature maps are [B, h, w, C], tokens [B, N, C].
        """

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""

    def key_rules(self) -> Mapping[str, KeyRules]:
        """The known namings of checkpoints, by a name for messages."""
