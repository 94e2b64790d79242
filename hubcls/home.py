"""Where hubcls keeps what it fetches: ~/.hubcls, or the folder in HUBCLS_HOME."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder that holds everything hubcls fetches; made when something is written."""
    return Path(os.environ.get("HUBCLS_HOME") or Path.home() / ".hubcls").expanduser()


def modules_home() -> Path:
    """Downloaded weights."""
    return home() / "modules"


def datasets_home() -> Path:
    """Downloaded and prepared data sets."""
    return home() / "datasets"


def cache_home() -> Path:
    """What can be made again: inspections of image files, unpacked SavedModels."""
    return home() / "cache"


def is_offline() -> bool:
    """Whether HUBCLS_OFFLINE forbids the network."""
    return os.environ.get("HUBCLS_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
