"""Folders with a file for each variable, as PaddlePaddle's static graphs save them.

Published as `<Name>_pretrained.tar`; a variable's name is its file's path in the folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from hubcls.errors import UnsafeCheckpointError, WeightsError
from hubcls.weights.layouts import Array
from hubcls.weights.lod_tensors import read_lod_tensor
from hubcls.weights.tar_archives import read_tar

# What macOS leaves beside the files that it packs.
_LITTER_PREFIX = "._"
_LITTER = ".DS_Store"


def read_variable_archive(content: bytes) -> dict[str, Array]:
    """The arrays of a tar archive of such a folder.

    Raises:
        UnsafeCheckpointError: a name leads out of the folder or stands twice, or an entry
            is no plain file.
        WeightsError: the archive or a variable is damaged.
    """
    files: dict[PurePosixPath, memoryview] = {}
    for name, data in read_tar(content):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise UnsafeCheckpointError(f"{name!r} leads out of the archive")
        if path in files:
            raise UnsafeCheckpointError(f"the archive has {name!r} twice")
        if not _is_litter(path.name):
            files[path] = data
    return _read_variables(_without_top_folder(files))


def read_variable_folder(folder: Path) -> dict[str, Array]:
    """The arrays of such a folder.

    Raises:
        UnsafeCheckpointError: it holds links or devices.
        WeightsError: a file cannot be read, or is no variable.
    """
    try:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in _paths(folder)}
    except OSError as error:
        raise WeightsError(f"it cannot be read: {error}") from None
    return _read_variables(files)


def _is_litter(name: str) -> bool:
    return name.startswith(_LITTER_PREFIX) or name == _LITTER


def _without_top_folder(files: Mapping[PurePosixPath, memoryview]) -> dict[str, memoryview]:
    """The files by their paths below the one folder that holds them all, if there is one."""
    tops = {path.parts[:1] for path in files}
    is_flat = len(tops) != 1 or any(len(path.parts) == 1 for path in files)
    return {"/".join(path.parts[0 if is_flat else 1 :]): data for path, data in files.items()}


def _fail(error: OSError) -> None:
    raise error


def _paths(folder: Path) -> list[Path]:
    paths: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_fail):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UnsafeCheckpointError(f"{path.name!r} is a link or no plain file")
        paths += [Path(parent, name) for name in names if not _is_litter(name)]
    return sorted(paths)


def _read_variables(files: Mapping[str, bytes | memoryview]) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    strangers: list[str] = []
    for name, content in files.items():
        try:
            arrays[name] = read_lod_tensor(content)
        except WeightsError as error:
            strangers.append(f"{name}: {error}")
    if strangers:
        raise WeightsError(
            "these files are no variables of PaddlePaddle:\n  " + "\n  ".join(strangers[:10])
        )
    if not arrays:
        raise WeightsError("no variable of PaddlePaddle is in it")
    return arrays
