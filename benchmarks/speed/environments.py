"""The contestants' environments: virtual ones under the work folder, made once."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MADE = "made.json"
RIVALS = {
    "tensorflow": ["keras-hub", "scikit-image"],
    # On Linux torch's wheels carry CUDA and take 6 GB; PIP_FIND_LINKS may name a smaller one.
    "torch": ["torch", "torchvision", "timm", "fastai"],
}
OVERLAYS = {"openvino": ["openvino>=2025.0"]}


def requirements(name: str) -> list[str]:
    """What pip installs; hubcls' own requirements where it runs, and its code from here."""
    if name != "tensorflow":
        return RIVALS[name]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return [*setup["options"]["install_requires"].split("\n")[1:], *RIVALS[name]]


def python_of(work: Path, name: str) -> Path:
    """The interpreter of an environment, which is made if it is not there.

    Raises:
        subprocess.CalledProcessError: pip could not install; its words are on the screen.
    """
    folder = work / "environments" / name
    python = folder / "bin" / "python"
    wanted = json.dumps(requirements(name))
    if not _is_made(folder, wanted):
        print(f"setting up {folder} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        _install([str(python), "-m", "pip"], [], requirements(name))
        (folder / MADE).write_text(wanted, encoding="utf-8")
    return python


def installed(work: Path, name: str) -> list[str]:
    """Names and versions of an environment's or an overlay's packages."""
    folder = work / "environments" / name
    found = [*folder.glob("lib/*/site-packages/*.dist-info"), *folder.glob("*.dist-info")]
    return sorted(path.name for path in found)


def overlay_of(work: Path, name: str) -> Path:
    """A folder with one package, to be put in front of an environment's own."""
    folder = work / "environments" / name
    wanted = json.dumps(OVERLAYS[name])
    if not _is_made(folder, wanted):
        print(f"setting up {folder} ...", flush=True)
        pip = [str(python_of(work, "tensorflow")), "-m", "pip"]
        # Without its dependencies: the environment has NumPy, in the version that it needs.
        _install(pip, ["--target", str(folder), "--upgrade", "--no-deps"], OVERLAYS[name])
        (folder / MADE).write_text(wanted, encoding="utf-8")
    return folder


def variables(work: Path, home: Path, overlay: str | None) -> dict[str, str]:
    """The environment variables of a measurement: this checkout's hubcls, no network."""
    places = [str(ROOT)] + ([str(overlay_of(work, overlay))] if overlay else [])
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(places),
        "HUBCLS_HOME": str(home),
        "HUBCLS_OFFLINE": "1",
        "HF_HUB_OFFLINE": "1",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # hubcls' default; plain Keras is as fast as it can be with it, too.
        "TF_ENABLE_ONEDNN_OPTS": "1",
    }


def _is_made(folder: Path, wanted: str) -> bool:
    made = folder / MADE
    return made.is_file() and made.read_text(encoding="utf-8") == wanted


def _install(pip: list[str], options: list[str], packages: list[str]) -> None:
    subprocess.run([*pip, "install", "--quiet", *options, *packages], check=True)
