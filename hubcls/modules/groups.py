"""Ordered groups of layers, stem to last stage, for freezing and layer-wise rates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerGroup:
    """Names of layers that are opened and closed together, in graph order."""

    name: str
    layers: tuple[str, ...]
