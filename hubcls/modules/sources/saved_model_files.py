"""SavedModel folders: checked, told apart by their bytes, packed into and out of a .keras file."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.protobuf import saved_model_pb2

from hubcls.downloads import extract
from hubcls.errors import ArchiveError, BundleError, ConfigError, UnsafeCheckpointError
from hubcls.home import cache_home

# A SavedModel is a program; these operations reach files or the Python interpreter.
_FORBIDDEN_OPERATIONS = frozenset(
    {"EagerPyFunc", "MatchingFiles", "PyFunc", "PyFuncStateless", "ReadFile", "WriteFile"}
)
_PARTS = ("*.pb", "variables/**/*", "assets/**/*", "assets.extra/**/*")
_ARCHIVE_NAME = re.compile(r"savedmodel-([0-9a-f]{64})\.zip")
_BLOCK_BYTES = 1 << 20


def check(folder: Path) -> None:
    """Refuse a folder that is no SavedModel, or whose graph reaches outside of itself.

    Raises:
        ConfigError: there is no saved_model.pb, or it cannot be read.
        UnsafeCheckpointError: the graph reads or writes files, or calls Python.
    """
    proto = folder / "saved_model.pb"
    if not proto.is_file():
        raise ConfigError(
            f"{folder} is no SavedModel: it holds no saved_model.pb.\n"
            "  Give the folder that tf.saved_model.save, model.export or tensorflow_hub wrote; "
            "unpack a downloaded .tar.gz first."
        )
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(proto.read_bytes())
    except DecodeError:
        raise ConfigError(f"{proto} is damaged; copy or download the folder again") from None
    found = sorted(_FORBIDDEN_OPERATIONS.intersection(_operations(saved_model)))
    if found:
        raise UnsafeCheckpointError(
            f"the SavedModel in {folder} uses {', '.join(found)}, which reach files or Python "
            "code outside of the model.\n  Export it again so that it takes images, not file "
            "names, and calls no Python function."
        )


def digest_of(folder: Path) -> str:
    """The sha256 of the SavedModel's file names and bytes, as hexadecimal digits."""
    whole = hashlib.sha256()
    for path in _files(folder):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                content.update(block)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content.hexdigest()}\n".encode())
    return whole.hexdigest()


def find(folder: str | Path, digest: str) -> Path:
    """Where a SavedModel with these bytes lies: as unpacked from a .keras file, or `folder`.

    Raises:
        BundleError: it is at neither place.
    """
    unpacked = _unpacked_folder(digest)
    if unpacked.is_dir():
        return unpacked
    folder = Path(folder)
    if folder.is_dir() and digest_of(folder) == digest:
        return folder
    state = "has other contents now" if folder.is_dir() else "is gone"
    raise BundleError(
        f"the SavedModel folder {folder} {state}.\n"
        "  A .keras file carries a copy: load it with "
        "hubcls.modules.sources.saved_model_layer.load_model(path), which unpacks it."
    )


def pack(folder: Path, target: Path, digest: str) -> Path:
    """Write the SavedModel into the folder `target`, as an archive named by its digest."""
    archive = target / f"savedmodel-{digest}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in _files(folder):
            packed.write(path, path.relative_to(folder).as_posix())
    return archive


def unpack(keras_file: Path) -> None:
    """Put every SavedModel that a .keras file carries where `find` looks for it.

    Raises:
        BundleError: `keras_file` is no zip archive.
        ArchiveError: a carried archive is broken or unsafe, or has other bytes than its
            name says.
    """
    try:
        with zipfile.ZipFile(keras_file) as whole:
            for entry in whole.namelist():
                match = _ARCHIVE_NAME.fullmatch(entry.rsplit("/", 1)[-1])
                if match and not _unpacked_folder(match[1]).is_dir():
                    _unpack_one(whole, entry, match[1])
    except (OSError, zipfile.BadZipFile) as error:
        raise BundleError(f"{keras_file} cannot be read as a .keras file: {error}") from None


def _unpack_one(whole: zipfile.ZipFile, entry: str, digest: str) -> None:
    target = _unpacked_folder(digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as temporary:
        archive = Path(temporary, "savedmodel.zip")
        with whole.open(entry) as source, archive.open("wb") as sink:
            shutil.copyfileobj(source, sink, _BLOCK_BYTES)
        folder = extract(archive, Path(temporary, digest))
        if digest_of(folder) != digest:
            raise ArchiveError(f"{whole.filename}: the bytes of {entry} are not what its name says")
        _move(folder, target)


def _move(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():  # otherwise another process was faster with the same bytes
            raise


def _unpacked_folder(digest: str) -> Path:
    return cache_home() / "saved_models" / digest


def _files(folder: Path) -> list[Path]:
    return sorted(path for part in _PARTS for path in folder.glob(part) if path.is_file())


def _operations(saved_model: saved_model_pb2.SavedModel) -> Iterator[str]:
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        yield from (node.op for node in graph.node)
        for function in graph.library.function:
            yield from (node.op for node in function.node_def)
