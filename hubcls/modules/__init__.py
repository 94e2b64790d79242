"""Pretrained modules: the catalogue, and `Module`, which builds what it names.

Names are fetched on first use, so that the catalogue is read without TensorFlow.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "name in hubcls.modules",
    {
        "LayerGroup": "hubcls.modules.groups:LayerGroup",
        "Module": "hubcls.modules.module:Module",
        "ModuleSpec": "hubcls.modules.spec:ModuleSpec",
        "names": "hubcls.modules.finding:names",
        "search": "hubcls.modules.finding:search",
        "spec_of": "hubcls.modules.finding:spec",
    },
)

__all__ = ["LayerGroup", "Module", "ModuleSpec", "names", "search", "spec_of"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.modules' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
