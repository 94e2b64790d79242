"""Arrays kept under `~/.hubcls/cache/features`, a row for each image, least used ones leaving."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from hubcls.cached import STALE_SECONDS, make_room, mark_used
from hubcls.home import cache_home
from hubcls.writing import write_file

_KEY_BYTES = 16
_MISSING = -1

Keys = npt.NDArray[np.uint8]


class Shelf:
    """Rows of one kind: one part of a network, one way to show it images.

    A folder of pairs of files: rows, and then their keys. A pair counts once the second
    stands, and both are renamed into place, so that a kill loses no more than the pair
    being written, and processes that fill one shelf at once see only whole pairs of each
    other's. Nothing is ever changed in place.
    """

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        """Name a shelf.

        Args:
            name: of its folder; what the rows are must follow from it.
            shape: of a row.
        """
        self.folder = _folder() / name
        self._shape = shape

    @property
    def exists(self) -> bool:
        """Whether any process has begun it."""
        return self.folder.is_dir()

    def begin(self) -> None:
        """Make it known, and used just now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mark_used(self.folder)

    def rows(self, keys: Keys) -> Rows:
        """The rows of images, some of which may be missing.

        Args:
            keys: uint8 [N, 16].
        """
        known: dict[bytes, tuple[int, int]] = {}
        files: list[BinaryIO] = []
        for path in sorted(self.folder.glob("*.keys")):
            # A run that makes room may take the shelf away from under us: then rows are missing.
            with contextlib.suppress(FileNotFoundError):
                file = path.with_suffix(".rows").open("rb")
                known |= {key: (len(files), row) for row, key in enumerate(_keys_in(path))}
                files.append(file)
        found = [known.get(key.tobytes(), (_MISSING, _MISSING)) for key in keys]
        return Rows(files, np.array(found, np.int64).reshape(-1, 2), self._shape)

    def add(self, keys: Keys, rows: npt.NDArray[np.float32]) -> None:
        """Keep rows, float32 [n, …]; other shelves make room for them where they must."""
        self.begin()
        path = self.folder / f"{uuid.uuid4().hex}.rows"
        write_file(path, rows.astype(np.float32, copy=False).tobytes())
        write_file(path.with_suffix(".keys"), keys.tobytes())
        _remove_leftovers(self.folder)
        make_room(self.folder)


class Rows:
    """Rows of a shelf in the order of the images that they were asked for.

    Their files stay open: a run that removes the shelf does not disturb this one.
    """

    def __init__(
        self, files: Sequence[BinaryIO], places: npt.NDArray[np.int64], shape: tuple[int, ...]
    ) -> None:
        """Hold files and places.

        Args:
            files: float32 rows, one after the other.
            places: int64 [N, 2]: the number of a file and of the row within it.
            shape: of a row.
        """
        self._files = files
        self._places = places
        self._shape = shape

    def __len__(self) -> int:
        return len(self._places)

    @property
    def missing(self) -> npt.NDArray[np.int64]:
        """The numbers of the images that have no row."""
        return np.flatnonzero(self._places[:, 0] == _MISSING)

    def read(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The rows of some images, float32 [n, …].

        Files are mapped for this call alone, so that what was read does not stay in memory.
        """
        places = self._places[numbers]
        rows = np.empty((len(places), *self._shape), np.float32)
        for number in np.unique(places[:, 0]):
            chosen = places[:, 0] == number
            kept = np.memmap(self._files[number], np.float32, "r").reshape(-1, *self._shape)
            wanted = places[chosen, 1]
            is_block = len(wanted) > 1 and (np.diff(wanted) == 1).all()
            rows[chosen] = kept[wanted[0] : wanted[-1] + 1] if is_block else kept[wanted]
        return rows


def _folder() -> Path:
    return cache_home() / "features"


def _keys_in(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    for start in range(0, len(content), _KEY_BYTES):
        yield content[start : start + _KEY_BYTES]


def _remove_leftovers(shelf: Path) -> None:
    """What a killed process has left: rows that no file of keys names."""
    for path in shelf.iterdir():
        is_whole = path.with_suffix(".keys").exists()
        with contextlib.suppress(FileNotFoundError):
            if not is_whole and time.time() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
