"""A file from its mirrors: resumed, checked, and under its final name only when whole."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256 as new_sha256
from pathlib import Path

from hubcls.downloads.locking import locked
from hubcls.downloads.transfer import CutConnection, transfer
from hubcls.errors import ChecksumError, DownloadError, OfflineError
from hubcls.home import is_offline
from hubcls.logs import logger

# Attempts in a row without a new byte before a mirror is given up.
_FRUITLESS_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.5


@dataclass(frozen=True)
class Receipt:
    """What is known of a fetched file; kept beside it as `<name>.receipt.json`.

    It outlives the file. Where no hash is published, the first download's is the one that
    later downloads of the same file must have (trust on first use).
    """

    url: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class _Expected:
    sha256: str | None
    size_bytes: int | None


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str | None = None,
    size_bytes: int | None = None,
) -> Path:
    """The file at `target`, downloaded from the first mirror that gives it whole.

    A cut download is resumed, also by a later process. Processes that want the same file
    wait for each other. A file that is there already is kept, wherever it came from, if
    its hash is right; the hash is taken once and remembered.

    Args:
        urls: http(s) addresses of the same bytes, best first.
        target: where the file shall be.
        sha256: the published hash, in hex; without it, that of the first download counts.
        size_bytes: the published size.

    Returns:
        `target`.

    Raises:
        OfflineError: the file is not there and HUBCLS_OFFLINE forbids the network.
        ChecksumError: the bytes are not those expected.
        DownloadError: no mirror gave the file; lists what each one answered.
    """
    expected = _Expected(sha256.lower() if sha256 else None, size_bytes)
    try:
        with locked(target):
            if not _is_there(target, expected):
                _download(urls, target, _as_first_seen(target, expected))
    except OSError as error:
        raise DownloadError(f"{target} cannot be written: {error}") from error
    return target


def forget(target: Path) -> None:
    """Remove a fetched file and its receipt: the next fetch starts, and trusts, anew."""
    target.unlink(missing_ok=True)
    _receipt_path(target).unlink(missing_ok=True)


def _is_there(target: Path, expected: _Expected) -> bool:
    if not target.exists():
        return False
    receipt = _read_receipt(target)
    if receipt is None or receipt.size_bytes != target.stat().st_size:
        receipt = Receipt("a local file", _hash(target), target.stat().st_size)
    if expected.sha256 in (None, receipt.sha256):
        _write_receipt(target, receipt)
        return True
    if is_offline():
        raise ChecksumError(_mismatch(target, expected.sha256, receipt.sha256))
    logger.warning("%s has other bytes than published: it is fetched again", target)
    return False


def _as_first_seen(target: Path, expected: _Expected) -> _Expected:
    receipt = _read_receipt(target)
    if expected.sha256 or receipt is None:
        return expected
    return _Expected(receipt.sha256, receipt.size_bytes)


def _download(urls: Sequence[str], target: Path, expected: _Expected) -> None:
    if is_offline():
        raise OfflineError(
            f"{target.name} is not here, and HUBCLS_OFFLINE forbids the network.\n"
            + _by_hand(urls, target)
        )
    answers: list[DownloadError] = []
    for url in urls:
        try:
            return _download_from(url, target, expected)
        except DownloadError as error:
            logger.warning("%s: %s", url, error)
            answers.append(error)
    wrong_bytes = bool(answers) and all(isinstance(answer, ChecksumError) for answer in answers)
    listing = "".join(f"  {url}: {answer}\n" for url, answer in zip(urls, answers, strict=True))
    raise (ChecksumError if wrong_bytes else DownloadError)(
        f"{target.name} could not be fetched:\n{listing}{_by_hand(urls, target)}"
    )


def _download_from(url: str, target: Path, expected: _Expected) -> None:
    part = target.with_name(target.name + ".part")
    farthest, fruitless = _size(part), 0
    while fruitless < _FRUITLESS_ATTEMPTS:
        try:
            transfer(url, part, size_bytes=expected.size_bytes)
            return _finish(url, part, target, expected)
        except CutConnection as cut:
            fruitless = 0 if _size(part) > farthest else fruitless + 1
            farthest = max(farthest, _size(part))
            reason = str(cut)
        logger.info("%s: %s", url, reason)
        time.sleep(_FIRST_WAIT_SECONDS * 2**fruitless)
    raise DownloadError(reason)


def _finish(url: str, part: Path, target: Path, expected: _Expected) -> None:
    receipt = Receipt(url, _hash(part), part.stat().st_size)
    if expected.sha256 not in (None, receipt.sha256):
        part.unlink()
        raise ChecksumError(_mismatch(target, expected.sha256, receipt.sha256))
    _write_receipt(target, receipt)
    part.replace(target)


def _hash(path: Path) -> str:
    digest = new_sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receipt_path(target: Path) -> Path:
    return target.with_name(target.name + ".receipt.json")


def _read_receipt(target: Path) -> Receipt | None:
    try:
        return Receipt(**json.loads(_receipt_path(target).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_receipt(target: Path, receipt: Receipt) -> None:
    if receipt == _read_receipt(target):
        return
    path = _receipt_path(target)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(asdict(receipt), indent=1), encoding="utf-8")
    fresh.replace(path)


def _mismatch(target: Path, expected: str | None, found: str) -> str:
    return (
        f"the bytes have sha256 {found}, but {expected} was expected. They were damaged, or "
        f"the file was changed; if the expectation comes from an earlier download that you "
        f"no longer trust, remove {_receipt_path(target)}"
    )


def _by_hand(urls: Sequence[str], target: Path) -> str:
    listing = "".join(f"\n    {url}" for url in urls)
    return f"  By hand: save the file as {target}; it lies at{listing}"
