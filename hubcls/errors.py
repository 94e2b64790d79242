"""Every error that hubcls raises on purpose.

HubclsError
├── ConfigError                an argument or a configuration value is wrong (also a ValueError)
│   └── UnknownNameError       a name is in none of our tables
├── CatalogueError             a YAML file of modules/ or datasets/ is wrong
├── DownloadError              a file could not be fetched
│   ├── OfflineError           HUBCLS_OFFLINE=1 forbids the network
│   └── ChecksumError          a file arrived with other bytes than published
├── ArchiveError               an archive is broken or unsafe
├── DataError                  a data set is wrong (also a ValueError)
│   └── UnreadableImagesError  image files cannot be read; lists every one
├── WeightsError               weights do not fit the network
│   └── UnsafeCheckpointError  a checkpoint wants more than arrays
├── MissingExtraError          an optional package is not installed (also an ImportError)
├── TrainingError              training cannot go on
├── CheckpointError            a checkpoint folder cannot be resumed
└── BundleError                a saved classifier cannot be loaded

A message says what is wrong, what would be right, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class HubclsError(Exception):
    """Base of all errors raised by hubcls."""


class ConfigError(HubclsError, ValueError):
    """An argument or a configuration value is wrong."""


class UnknownNameError(ConfigError):
    """A name is in none of our tables; the message lists the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str = "") -> None:
        """Build the message.

        Args:
            kind: what the name should be, e.g. "module".
            name: the name as given.
            known: every name that would have been right.
            hint: a command or a call that lists them all.
        """
        names = sorted(known)
        near = nearest_names(name, names)
        lines = [f"no {kind} is called {name!r}."]
        if near:
            lines.append(f"  Nearest names: {', '.join(near)}.")
        elif len(names) <= 20:
            lines.append(f"  Known names: {', '.join(names)}.")
        if hint:
            lines.append(f"  {hint}")
        super().__init__("\n".join(lines))
        self.name = name
        self.nearest = near


class CatalogueError(HubclsError):
    """A YAML file of the catalogue is wrong; the message names file and line."""


class DownloadError(HubclsError):
    """A file could not be fetched from any of its addresses."""


class OfflineError(DownloadError):
    """The network is needed, but HUBCLS_OFFLINE=1 forbids it."""


class ChecksumError(DownloadError):
    """A file's bytes are not the published ones."""


class ArchiveError(HubclsError):
    """An archive is broken, or holds entries that would leave its folder."""


class DataError(HubclsError, ValueError):
    """A data set's files, labels or splits are wrong."""


class UnreadableImagesError(DataError):
    """Some image files cannot be read; lists every one with its reason."""

    def __init__(self, failures: Sequence[tuple[str, str]]) -> None:
        """Build the message from pairs of path and reason."""
        self.failures = tuple(failures)
        listing = "\n".join(f"  {path}: {reason}" for path, reason in self.failures)
        super().__init__(
            f"{len(self.failures)} image file(s) cannot be read:\n{listing}\n"
            '  Repair or remove them, or pass on_error="exclude" to leave them out; '
            "the report then lists them."
        )


class WeightsError(HubclsError):
    """Weights do not fit the network that they were given to."""


class UnsafeCheckpointError(WeightsError):
    """A checkpoint asks for code or types outside the allow-list."""


class MissingExtraError(HubclsError, ImportError):
    """An optional package is missing; the message names the extra."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        """Say which extra of hubcls brings `package`, needed for `purpose`."""
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed.\n"
            f"  Install it with: pip install 'hubcls[{extra}]'"
        )


class TrainingError(HubclsError):
    """Training cannot go on; the last good state is kept."""


class CheckpointError(HubclsError):
    """A checkpoint folder cannot be read or belongs to another run."""


class BundleError(HubclsError):
    """A saved classifier is missing, damaged or from a newer version."""


def nearest_names(name: str, known: Iterable[str], *, limit: int = 5) -> tuple[str, ...]:
    """The names in `known` that look most like `name`, best first."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), by_folded, n=limit, cutoff=0.6)
    containing = [key for key in by_folded if name and name.lower() in key and key not in close]
    return tuple(by_folded[key] for key in [*close, *containing][:limit])
