"""What every source hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from hubcls.modules.groups import LayerGroup


@dataclass(frozen=True)
class Built:
    """A backbone and, when the weights have one, its ImageNet head.

    Attributes:
        backbone: flat functional model; input "image", float32 [B, H, W, 3], RGB, 0–255;
            its first layer is `InputNormalization`; its output is a feature map
            [B, h, w, C] or a feature vector [B, C]. Layer names are unique and the same
            in every process and on every call.
        head: functional model from the backbone's output to logits [B, classes]; None
            when the weights have none.
        groups: layer groups, ordered stem to last stage, where the source knows better
            than the generic rule of `hubcls.modules.groups`.
    """

    backbone: keras.Model
    head: keras.Model | None = None
    groups: tuple[LayerGroup, ...] | None = None
