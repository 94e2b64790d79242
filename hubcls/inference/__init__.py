"""A model at work on many images: the fastest runtime whose outputs were shown equal.

Names are fetched on first use (PEP 562): the command line needs the backends' names alone.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "name in hubcls.inference",
    {
        "BACKENDS": "hubcls.inference.backends:BACKENDS",
        "Inference": "hubcls.inference.choosing:Inference",
    },
)

__all__ = [
    "BACKENDS",
    "Inference",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.inference' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
