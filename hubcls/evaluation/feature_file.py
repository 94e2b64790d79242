"""Features of many images in one .npz file, written row by row."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hubcls.errors import ConfigError

Append = Callable[[Sequence[str], npt.NDArray[np.float32]], None]


@contextmanager
def feature_file(path: Path, count: int) -> Iterator[Append]:
    """A new .npz file with the arrays `features` [count, C] and `names` [count].

    The rows go to disk as they come, so no more than a batch of them is in memory. The
    file appears when the block ends well.

    Args:
        path: ends in .npz; its folder is made when missing.
        count: how many rows will come.

    Yields:
        A function that takes the names and the features, float32 [b, C], of a batch.

    Raises:
        ConfigError: the path has another ending, or other than `count` rows came.
    """
    if path.suffix != ".npz":
        raise ConfigError(f"features are written as .npz, not as {path.name!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    names: list[str] = []
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            with archive.open("features.npy", "w", force_zip64=True) as file:

                def append(sources: Sequence[str], rows: npt.NDArray[np.float32]) -> None:
                    if not names:
                        header = {
                            "descr": "<f4",
                            "fortran_order": False,
                            "shape": (count, rows.shape[1]),
                        }
                        np.lib.format.write_array_header_1_0(file, header)
                    names.extend(sources)
                    file.write(rows.astype("<f4").tobytes())

                yield append
            if len(names) != count:
                raise ConfigError(f"{count} rows were announced, but {len(names)} came")
            with archive.open("names.npy", "w") as file:
                np.lib.format.write_array(file, np.array(names), allow_pickle=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
