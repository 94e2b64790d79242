"""examples/environment.sh: which Python it takes, what it says when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = ("cat", "cksum", "grep", "mkdir", "tr")
ENTER = '. "$1/examples/environment.sh"; enter_environment "$2" dev; command -v python'


@pytest.fixture
def clone(tmp_path):
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copy(REPOSITORY / "setup.cfg", folder)
    return folder


@pytest.fixture
def tools(tmp_path):
    """A PATH with a few tools and whatever stands in for Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_machine_without_python_is_told_what_to_install(shell, clone, tools):
    result = enter(clone, tools, shell=shell)

    assert result.returncode == 2
    assert "needs Python 3.10 to 3.13" in result.stderr
    assert "apt install python3" in result.stderr


def test_a_python_without_venv_is_told_what_to_install(clone, tools):
    write_stand_in(tools / "python3", 'case "$2" in *ensurepip*) exit 1;; esac')

    result = enter(clone, tools)

    assert result.returncode == 2
    assert "sudo apt install python3-venv" in result.stderr


def test_an_old_python_is_passed_over_for_a_newer_one(clone, tools):
    write_stand_in(tools / "python3", "exit 1")
    write_stand_in(tools / "python3.12", 'case "$2" in *ensurepip*) exit 1;; esac')

    result = enter(clone, tools)

    assert f"{tools}/python3.12 cannot make a virtual environment" in result.stderr


def test_an_active_environment_that_is_too_old_is_refused(clone, tools, tmp_path):
    write_stand_in(tools / "python", "[ $1 = --version ] && echo Python 3.8.1 || exit 1")

    result = enter(clone, tools, VIRTUAL_ENV=str(tmp_path))

    assert result.returncode == 2
    assert "has Python 3.8.1; hubcls needs 3.10 or newer" in result.stderr


def test_an_active_environment_is_used_and_filled_once(clone, tools, tmp_path):
    calls = tmp_path / "calls"
    write_stand_in(tools / "python", f'case "$*" in *install*) echo "$@" >> {calls};; esac')

    first = enter(clone, tools, VIRTUAL_ENV=str(tmp_path))
    second = enter(clone, tools, VIRTUAL_ENV=str(tmp_path))

    assert first.stdout.splitlines()[-1] == second.stdout.strip() == str(tools / "python")
    assert len(calls.read_text().splitlines()) == 1
    assert f"--editable {clone}[dev]" in calls.read_text()


def test_a_changed_setup_is_installed_anew(clone, tools, tmp_path):
    calls = tmp_path / "calls"
    write_stand_in(tools / "python", f'case "$*" in *install*) echo "$@" >> {calls};; esac')
    enter(clone, tools, VIRTUAL_ENV=str(tmp_path))

    with (clone / "setup.cfg").open("a") as file:
        file.write("# another dependency\n")
    enter(clone, tools, VIRTUAL_ENV=str(tmp_path))

    assert len(calls.read_text().splitlines()) == 2


def test_a_failed_installation_is_tried_again(clone, tools, tmp_path):
    calls = tmp_path / "calls"
    write_stand_in(tools / "python", f'case "$*" in *install*) echo "$@" >> {calls}; exit 1;; esac')

    results = [enter(clone, tools, VIRTUAL_ENV=str(tmp_path)) for _ in range(2)]

    assert [result.returncode for result in results] == [2, 2]
    assert "pip could not install hubcls" in results[0].stderr
    assert len(calls.read_text().splitlines()) == 2


def test_without_an_active_environment_one_is_made_in_the_clone(clone, tools):
    (tools / "python3").symlink_to(sys.executable)
    # No package index is asked: pip is told to install nothing.
    result = enter(clone, tools, PIP_DRY_RUN="1", PIP_NO_INDEX="1", PIP_NO_DEPS="1")

    assert (clone / ".venv" / "bin" / "python").exists()
    assert f"Making the virtual environment {clone}/.venv" in result.stdout


def enter(clone, tools, *, shell="sh", **environment):
    return subprocess.run(
        [shutil.which(shell), "-c", ENTER, shell, str(REPOSITORY), str(clone)],
        env={"PATH": str(tools), "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def write_stand_in(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
