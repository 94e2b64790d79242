"""Zip archives as checkpoints use them: entries stored as they are, each name once."""

from __future__ import annotations

import io
import struct
import zipfile

from hubcls.errors import UnsafeCheckpointError, WeightsError

# What zipfile lets through when an archive's bytes are wrong.
_DAMAGE = (
    zipfile.BadZipFile,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class StoredArchive:
    """The entries of a zip archive in memory; refuses what could grow while it is read.

    Attributes:
        names: names of the entries.
    """

    def __init__(self, content: bytes) -> None:
        """Read the archive's directory.

        Raises:
            UnsafeCheckpointError: entries are compressed, doubled or overlap.
            WeightsError: the directory is damaged.
        """
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGE as error:
            raise WeightsError(f"the archive is damaged: {error}") from None
        entries = self._archive.infolist()
        self.names = frozenset(entry.filename for entry in entries)
        if len(self.names) != len(entries):
            raise UnsafeCheckpointError("the archive holds two entries of one name")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UnsafeCheckpointError("the archive's entries are compressed")
        if sum(entry.file_size for entry in entries) > len(content):
            raise UnsafeCheckpointError("the archive's entries overlap")

    def read(self, name: str) -> bytes:
        """One entry's bytes.

        Raises:
            WeightsError: they are damaged.
        """
        try:
            return self._archive.read(name)
        except _DAMAGE as error:
            raise WeightsError(f"entry {name!r} of the archive is damaged: {error}") from None
