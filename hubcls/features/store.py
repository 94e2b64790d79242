"""Arrays kept under `~/.hubcls/cache/features`, a row for each image."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from hubcls.cached import make_room, mark_used
from hubcls.home import cache_home
from hubcls.writing import write_file

KEY_BYTES = 16
_MISSING = -1
# What is smaller is copied: thousands of small files cannot all stay open.
_LEAST_OPEN_BYTES = 2**18

Keys = npt.NDArray[np.uint8]
# An open file of numbers, or all its numbers.
_File = BinaryIO | npt.NDArray[np.float32]


class Shelf:
    """Rows of one kind: one part of a network, one way to show it images.

    A folder of pairs of files: rows, and then their keys. A pair counts once the second
    stands, and both are renamed into place, so that a kill loses no more than the pair
    being written, and processes that fill one shelf at once see only whole pairs of each
    other's. Nothing is ever changed in place. The keys' time of change is the pair's last use,
    by which `make_room` chooses what leaves.
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
        """Whether any rows are kept on it."""
        return any(self.folder.glob("*.keys"))

    def begin(self) -> None:
        """Make its folder, or note that it will be needed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        mark_used(self.folder)

    def rows(self, keys: Keys) -> Rows:
        """The rows of images, some of which may be missing.

        Args:
            keys: uint8 [N, 16].
        """
        asked = [key.tobytes() for key in keys]
        missing = set(asked)
        places: dict[bytes, tuple[int, int]] = {}
        files: list[_File] = []
        for path in sorted(self.folder.glob("*.keys")):
            # A run that makes room may take the pair away from under us: then rows are missing.
            # Windows says so in another way.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                found = {key: row for row, key in enumerate(_keys_in(path)) if key in missing}
                if found:
                    file = _opened(path.with_suffix(".rows"))
                    mark_used(path)
                    places |= {key: (len(files), row) for key, row in found.items()}
                    missing.difference_update(found)
                    files.append(file)
        numbers = [places.get(key, (_MISSING, _MISSING)) for key in asked]
        return Rows(files, np.array(numbers, np.int64).reshape(-1, 2), self._shape)

    def add(self, keys: Keys, rows: npt.NDArray[np.float32]) -> None:
        """Keep rows, float32 [n, …]; what was used longest ago makes room for them."""
        self.begin()
        path = self.folder / f"{uuid.uuid4().hex}.rows"
        write_file(path, rows.astype(np.float32, copy=False).tobytes())
        write_file(path.with_suffix(".keys"), keys.tobytes())
        make_room()


class Rows:
    """Rows of a shelf in the order of the images that they were asked for.

    Their files stay open, or are copied: a run that removes them does not disturb this one.
    """

    def __init__(
        self, files: Sequence[_File], places: npt.NDArray[np.int64], shape: tuple[int, ...]
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
        by_file = np.argsort(places[:, 0], kind="stable")
        _, starts = np.unique(places[by_file, 0], return_index=True)
        for chosen in np.split(by_file, starts)[1:]:
            file = self._files[places[chosen[0], 0]]
            kept = _numbers_in(file).reshape(-1, *self._shape)
            wanted = places[chosen, 1]
            is_block = len(wanted) > 1 and (np.diff(wanted) == 1).all()
            rows[chosen] = kept[wanted[0] : wanted[-1] + 1] if is_block else kept[wanted]
        return rows


def _folder() -> Path:
    return cache_home() / "features"


def _keys_in(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    for start in range(0, len(content), KEY_BYTES):
        yield content[start : start + KEY_BYTES]


def _opened(path: Path) -> _File:
    file = path.open("rb")
    if os.fstat(file.fileno()).st_size >= _LEAST_OPEN_BYTES:
        return file
    with file:
        return np.frombuffer(file.read(), np.float32)


def _numbers_in(file: _File) -> npt.NDArray[np.float32]:
    return file if isinstance(file, np.ndarray) else np.memmap(file, np.float32, "r")
