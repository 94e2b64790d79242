"""What an image is: files and arrays to uint8 RGB at the size that a module expects.

Names are fetched on first use (PEP 562): checking files needs no TensorFlow.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "name in hubcls.images",
    {
        "Augmentation": "hubcls.images.augmenting:Augmentation",
        "ImageFile": "hubcls.images.decoding:ImageFile",
        "augment": "hubcls.images.augmenting:augment",
        "contact_sheet": "hubcls.images.sheets:contact_sheet",
        "decode": "hubcls.images.graph_decoding:decode",
        "glance": "hubcls.images.glancing:glance",
        "inspect": "hubcls.images.decoding:inspect",
        "load": "hubcls.images.resizing:load",
        "load_augmented": "hubcls.images.augmenting:load_augmented",
        "read_with_pillow": "hubcls.images.decoding:read_with_pillow",
        "resize": "hubcls.images.resizing:resize",
        "to_rgb_array": "hubcls.images.decoding:to_rgb_array",
    },
)

__all__ = [
    "Augmentation",
    "ImageFile",
    "augment",
    "contact_sheet",
    "decode",
    "glance",
    "inspect",
    "load",
    "load_augmented",
    "read_with_pillow",
    "resize",
    "to_rgb_array",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.images' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
