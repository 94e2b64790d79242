"""One HTTP request that carries on where the last one was cut."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hubcls.errors import DownloadError
from hubcls.progress import progress
from hubcls.version import __version__

_TIMEOUT_SECONDS = 30
_BLOCK_BYTES = 1 << 18
# Answers that may change by asking again; any other of 400 and above is final.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class CutConnection(Exception):  # noqa: N818 - an event to go on from, not an error of the caller
    """The transfer ended before the file did; what came is kept."""


class Refused(DownloadError):  # noqa: N818
    """The server's answer will not change by asking again."""


@dataclass(frozen=True)
class _Origin:
    """The file on the server that a part file belongs to; kept beside the part."""

    url: str
    validator: str
    total: int | None


def transfer(url: str, part: Path, *, size_bytes: int | None = None) -> None:
    """Bring `part` to the whole file at `url`, from the byte where it ends now.

    Args:
        url: an http or https address.
        part: a file that an earlier call left unfinished, or one that is not there yet.
        size_bytes: the published size.

    Raises:
        CutConnection: bytes are missing; call again to go on.
        Refused: the server does not have the file, or not with the published size.
        OSError: `part` cannot be written.
    """
    if not url.startswith(("https://", "http://")):
        raise Refused("only http and https addresses are fetched")
    begun = _read_origin(part, url)
    offset = part.stat().st_size if begun else 0
    try:
        response = _open(url, offset, begun)
    except urllib.error.HTTPError as error:
        _judge(error, part, offset)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise CutConnection(str(getattr(error, "reason", error))) from None
    else:
        with response:
            start, total = _extent(response, offset, begun)
            origin = _Origin(url, _validator(response), total)
            _check_size(total, size_bytes)
            _receive(response, part, origin, start=start)
    _origin_path(part).unlink(missing_ok=True)


def _open(url: str, offset: int, begun: _Origin | None) -> http.client.HTTPResponse:
    headers = {"User-Agent": f"hubcls/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    if offset and begun and begun.validator:
        headers["If-Range"] = begun.validator
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the caller checked it
    response: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310
        request, timeout=_TIMEOUT_SECONDS
    )
    return response


def _judge(error: urllib.error.HTTPError, part: Path, offset: int) -> None:
    """Return when the answer means that the part is whole; raise what it means otherwise."""
    with error:
        whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
    if error.code == 416 and whole and int(whole[1]) == offset:
        return
    if error.code == 416:
        part.unlink(missing_ok=True)
    if error.code == 416 or error.code in _PASSING:
        raise CutConnection(f"HTTP {error.code} {error.reason}") from None
    raise Refused(f"HTTP {error.code} {error.reason}") from None


def _extent(
    response: http.client.HTTPResponse, offset: int, begun: _Origin | None
) -> tuple[int, int | None]:
    """The byte at which the answer starts, and the size of the whole file if it is told."""
    if response.status != 206:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    content_range = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
    if not found or int(found[1]) != offset:
        raise Refused(f"the server answered the range {content_range!r} instead of {offset}-")
    total = None if found[2] == "*" else int(found[2])
    return offset, total if total is not None or begun is None else begun.total


def _validator(response: http.client.HTTPResponse) -> str:
    # A weak ETag may not stand in If-Range (RFC 9110, section 13.1.5).
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _check_size(total: int | None, size_bytes: int | None) -> None:
    if None not in (total, size_bytes) and total != size_bytes:
        raise Refused(f"the file there has {total} bytes, but {size_bytes} are published")


def _receive(
    response: http.client.HTTPResponse, part: Path, origin: _Origin, *, start: int
) -> None:
    needed = (origin.total or 0) - start
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{needed:,} bytes are to come, {free:,} are free", str(part))
    received = start
    with part.open("r+b" if start else "wb") as file:
        _origin_path(part).write_text(json.dumps(asdict(origin)), encoding="utf-8")
        file.seek(start)
        with progress(needed or None, f"fetching {part.stem}", unit="bytes") as advance:
            for block in _blocks(response):
                file.write(block)
                received += len(block)
                advance(len(block))
        file.flush()
        os.fsync(file.fileno())
    if origin.total is not None and received < origin.total:
        raise CutConnection(f"the connection was cut after {received} of {origin.total} bytes")


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = response.read1(_BLOCK_BYTES)
        except (http.client.HTTPException, OSError) as error:
            raise CutConnection(f"the connection was cut: {error}") from None
        if not block:
            return
        yield block


def _origin_path(part: Path) -> Path:
    return part.with_name(part.name + ".origin.json")


def _read_origin(part: Path, url: str) -> _Origin | None:
    """What `part` is a part of; None when it is not known to be of this very address."""
    try:
        origin = _Origin(**json.loads(_origin_path(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return origin if origin.url == url and part.exists() else None
