"""Fashion-MNIST: grey pictures of clothes, from Debian's package or the network."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hubcls.datasets.base import Dataset, DatasetInfo, Split, divided
from hubcls.datasets.finding import spec
from hubcls.datasets.spec import DatasetSpec, RemoteFile, Source
from hubcls.downloads import fetch
from hubcls.errors import DataError
from hubcls.home import datasets_home

_VAL_EXAMPLES = 1_000
_UNSIGNED_BYTE = 0x08


class FashionMNIST(Dataset):
    """59,000 training, 1,000 validation and 10,000 test images of 28 x 28 pixels.

    The validation images are cut from the 60,000 published for training, by seed.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        seed: int = 0,
        row: DatasetSpec | None = None,
    ) -> None:
        """Find or fetch the four files, check their hashes and load them.

        Args:
            folder: where the four .gz files lie; by default that of Debian's package
                dataset-fashion-mnist, or else they are downloaded.
            seed: which training images become the validation split.
            row: the catalogue's row, e.g. with mirrors of your own.

        Raises:
            DataError: a file is missing or has other bytes than published.
            DownloadError: no mirror gave a file.
        """
        row = row or spec("fashion_mnist")
        source = row.sources["original"]
        place = Path(folder) if folder is not None else _place(row, source)
        arrays = [_read_idx(place / file.name, file) for file in source.files]
        train = Split(arrays[0][..., None], arrays[1].astype(np.int64))
        splits = divided(train, val_fraction=_VAL_EXAMPLES / 60_000, test_fraction=0, seed=seed)
        splits["test"] = Split(arrays[2][..., None], arrays[3].astype(np.int64))
        super().__init__(
            DatasetInfo(
                name=row.name,
                class_names=row.class_names,
                keeps_label=row.keeps_label,
                licence=row.licence,
                source=str(place),
            ),
            splits,
        )


def _place(row: DatasetSpec, source: Source) -> Path:
    for folder in map(Path, source.installed_at):
        if all((folder / file.name).is_file() for file in source.files):
            return folder
    folder = datasets_home() / row.name
    for file in source.files:
        fetch(file.urls, folder / file.name, sha256=file.sha256, size_bytes=file.size_bytes)
    return folder


def _read_idx(path: Path, file: RemoteFile) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes (LeCun's format): its shape, then its values."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    found = hashlib.sha256(content).hexdigest()
    if file.content_sha256 not in (None, found):
        raise DataError(
            f"{path} has other content than published: sha256 {found} instead of "
            f"{file.content_sha256}.\n  Remove it, or install its package anew."
        )
    if len(content) < 4 or content[:3] != bytes([0, 0, _UNSIGNED_BYTE]):
        raise DataError(f"{path} is no IDX file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise DataError(f"{path} holds {len(content) - start} values, its header says {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
