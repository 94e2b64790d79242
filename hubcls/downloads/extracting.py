"""Archives unpacked into a new folder, whole or not at all."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from hubcls.errors import ArchiveError
from hubcls.progress import progress

# zipfile raises RuntimeError for encrypted entries and unknown methods.
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
_ZIP_SIGNATURES = (b"PK\x03\x04", b"PK\x05\x06")
_RESERVE_BYTES = 64 << 20
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Entry:
    name: str
    kind: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def extract(archive: Path, folder: Path) -> Path:
    """The files of a tar (also .gz, .bz2, .xz) or zip archive, in a new folder.

    They are written to a temporary folder beside it, which gets its name at the end: a
    folder that exists is complete. Only plain files and folders are written; their
    permissions and owners are not taken over.

    Args:
        archive: the file; its kind is read from its bytes, not from its name.
        folder: must not exist.

    Returns:
        `folder`.

    Raises:
        ArchiveError: the archive is broken; an entry is absolute, climbs with "..", or is
            a link or a device; the disk is too small; or `folder` exists.
    """
    if folder.exists():
        raise ArchiveError(f"{folder} exists already; {archive.name} is unpacked to a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _write_all(archive, unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except _BROKEN as error:
        raise ArchiveError(
            f"{archive} is broken or no archive: {error or type(error).__name__}.\n"
            "  Remove it and fetch it again."
        ) from None
    except OSError as error:
        raise ArchiveError(f"{archive} could not be unpacked to {folder}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _write_all(archive: Path, folder: Path) -> None:
    left = shutil.disk_usage(folder).free - _RESERVE_BYTES
    size = archive.stat().st_size
    with (
        progress(size, f"unpacking {archive.name}", unit="bytes") as advance,
        archive.open("rb") as raw,
    ):
        seen = 0
        for entry in _entries(raw):
            _refuse_unsafe(archive, entry)
            left -= entry.size_bytes
            if left < 0:
                raise ArchiveError(
                    f"{archive} holds more than the disk of {folder.parent} can take"
                )
            _write(entry, folder)
            advance(max(0, raw.tell() - seen))
            seen = max(seen, raw.tell())


def _entries(raw: IO[bytes]) -> Iterator[_Entry]:
    is_zip = raw.read(4) in _ZIP_SIGNATURES
    raw.seek(0)
    return _zip_entries(raw) if is_zip else _tar_entries(raw)


def _tar_entries(raw: IO[bytes]) -> Iterator[_Entry]:
    with tarfile.open(fileobj=raw, mode="r:*") as tar:
        for member in tar:
            read = cast("Callable[[], IO[bytes]]", lambda item=member: tar.extractfile(item))
            yield _Entry(member.name, _tar_kind(member), member.size, read)
        # Past the last entry lies the checksum of the compressed stream.
        while tar.fileobj is not None and tar.fileobj.read(_BLOCK_BYTES):
            pass


def _tar_kind(member: tarfile.TarInfo) -> str:
    kinds = {"file": member.isfile(), "folder": member.isdir(), "symbolic link": member.issym()}
    kinds["hard link"] = member.islnk()
    return next((kind for kind, is_it in kinds.items() if is_it), "device")


def _zip_entries(raw: IO[bytes]) -> Iterator[_Entry]:
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            read = cast("Callable[[], IO[bytes]]", lambda item=info: archive.open(item))
            yield _Entry(info.filename, _zip_kind(info), info.file_size, read)


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "symbolic link"
    if info.is_dir():
        return "folder"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "device"


def _refuse_unsafe(archive: Path, entry: _Entry) -> None:
    parts = _parts(entry.name)
    if parts[0] == "" or re.match("[A-Za-z]:", entry.name) or ".." in parts:
        raise ArchiveError(f"{archive}: the entry {entry.name!r} would leave the folder; refused")
    if entry.kind not in ("file", "folder"):
        raise ArchiveError(f"{archive}: the entry {entry.name!r} is a {entry.kind}; refused")


def _parts(name: str) -> list[str]:
    return name.replace("\\", "/").split("/")


def _write(entry: _Entry, folder: Path) -> None:
    target = folder.joinpath(*_parts(entry.name))
    if entry.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with entry.open() as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, _BLOCK_BYTES)
