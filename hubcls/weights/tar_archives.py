"""Tar archives as checkpoints use them: plain files, read in memory and never extracted.

Python's tarfile does much more: it follows links, expands sparse files, and on versions
in use loops for ever on a negative size (CVE-2025-8194). A checkpoint needs a name and
a run of bytes, so we read just the headers: POSIX ustar, GNU's long names, pax paths.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from hubcls.errors import UnsafeCheckpointError, WeightsError

_BLOCK_BYTES = 512
_FILE_TYPES = (b"0", b"\0")
_FOLDER, _GNU_NAME, _PAX, _PAX_GLOBAL = b"5", b"L", b"x", b"g"
_OCTAL = re.compile(rb"[0-7]+")
# Trained weights hardly shrink; what grows twentyfold is no checkpoint.
_MOST_GROWTH = 20
_ALWAYS_BYTES = 2**26


class _Header(NamedTuple):
    """One entry: its name as the header gives it, its type, and where its bytes lie."""

    name: str
    kind: bytes
    start: int
    stop: int


def is_tar(content: bytes) -> bool:
    """Whether the bytes start as every tar archive since 1988 does."""
    return content[257:262] == b"ustar"


def decompress(content: bytes) -> bytes:
    """What gzip has compressed, unless it grows beyond all measure.

    Raises:
        UnsafeCheckpointError: it does.
        WeightsError: the bytes are damaged.
    """
    most_bytes = max(_ALWAYS_BYTES, _MOST_GROWTH * len(content))
    stream = zlib.decompressobj(wbits=31)
    try:
        whole = stream.decompress(content, most_bytes + 1)
    except zlib.error as error:
        raise WeightsError(f"the archive is damaged: {error}") from None
    if len(whole) > most_bytes:
        raise UnsafeCheckpointError(f"the archive grows to more than {most_bytes} bytes")
    if not stream.eof or stream.unused_data:
        raise WeightsError("the archive is damaged: it does not end where it should")
    return whole


def read_tar(content: bytes) -> list[tuple[str, memoryview]]:
    """Names and bytes of the files in a tar archive, in its order; no byte is copied.

    Raises:
        UnsafeCheckpointError: it holds links, devices or sparse files.
        WeightsError: it is damaged, or not whole.
    """
    files: list[tuple[str, memoryview]] = []
    position, long_name = 0, ""
    while not _is_end(content, position):
        header = _read_header(content, position)
        data = memoryview(content)[header.start : header.stop]
        if header.kind == _GNU_NAME:
            long_name = _text(bytes(data).rstrip(b"\0"))
        elif header.kind == _PAX:
            long_name = _pax(bytes(data)).get("path", long_name)
        elif header.kind == _PAX_GLOBAL:
            _pax(bytes(data))
        else:
            name, long_name = long_name or header.name, ""
            if header.kind != _FOLDER and not name.endswith("/"):
                files.append((name, data))
        position = header.start + -(-len(data) // _BLOCK_BYTES) * _BLOCK_BYTES
    return files


def _is_end(content: bytes, position: int) -> bool:
    """Whether the block is the empty one that ends an archive."""
    block = content[position : position + _BLOCK_BYTES]
    if len(block) < _BLOCK_BYTES:
        raise WeightsError("the archive is damaged: it has no end")
    return not any(block)


def _read_header(content: bytes, position: int) -> _Header:
    block = content[position : position + _BLOCK_BYTES]
    if _octal(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        raise WeightsError("the archive is damaged: a header has a wrong checksum")
    name, kind = block[:100].split(b"\0")[0], block[156:157]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].split(b"\0")[0] + b"/" + name
    if kind not in (*_FILE_TYPES, _FOLDER, _GNU_NAME, _PAX, _PAX_GLOBAL):
        raise UnsafeCheckpointError(f"{name!r} in the archive is a link or no plain file")
    start = position + _BLOCK_BYTES
    stop = start if kind == _FOLDER else start + _octal(block[124:136])
    if stop > len(content):
        raise WeightsError(f"the archive is damaged: {name!r} claims to go beyond its end")
    return _Header(_text(name), kind, start, stop)


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not _OCTAL.fullmatch(digits):
        raise WeightsError("the archive is damaged: a header has no whole number")
    return int(digits, 8)


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise WeightsError("the archive is damaged: a name is not in UTF-8") from None


def _pax(data: bytes) -> Mapping[str, str]:
    """The attributes of an extended header: lines of "length key=value"."""
    attributes: dict[str, str] = {}
    position = 0
    while position < len(data):
        length = data[position : position + 20].partition(b" ")[0]
        stop = position + (int(length) if length.isdigit() else 0)
        line = data[position + len(length) + 1 : stop]
        if stop > len(data) or not line.endswith(b"\n"):
            raise WeightsError("the archive is damaged: an extended header has no lines")
        key, _, value = line[:-1].partition(b"=")
        attributes[_text(key)] = value.decode("utf-8", "replace")
        position = stop
    if strange := [key for key in attributes if key == "size" or key.startswith("GNU.sparse")]:
        raise UnsafeCheckpointError(f"the archive has entries with {strange[0]}")
    return attributes
