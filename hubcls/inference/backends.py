"""Which runtimes may compute. Nothing here imports TensorFlow: the command line asks."""

from __future__ import annotations

import importlib.util

from hubcls.errors import MissingExtraError, UnknownNameError

BACKENDS = ("auto", "keras", "openvino")


def check_backend(name: str) -> None:
    """Refuse a backend that cannot compute.

    Raises:
        UnknownNameError: there is none of that name.
        MissingExtraError: its package is not installed.
    """
    if name not in BACKENDS:
        raise UnknownNameError("backend", name, BACKENDS)
    if name == "openvino" and not has_openvino():
        raise MissingExtraError("openvino", extra="openvino", purpose='backend="openvino"')


def has_openvino() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("openvino") is not None
