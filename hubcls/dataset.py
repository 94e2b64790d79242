"""PaddleHub's name, in the singular, for `hubcls.datasets`."""

from __future__ import annotations

from typing import Any

from hubcls import datasets


def __getattr__(name: str) -> Any:
    return getattr(datasets, name)
