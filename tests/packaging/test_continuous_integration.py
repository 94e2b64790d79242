""".ci/run: slow tests that cannot be found, fail or do not fit are never passed over in silence."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LISTED = "tests/a/test_one.py::test_x\ntests/a/test_one.py::test_y\ntests/b/test_two.py::test_z"


@pytest.fixture
def run(tmp_path):
    """A function: .ci/run where `python` is a stand-in with these answers."""

    def run_with(listing, *, checks=0, collects=0, passes=0, minutes=90):
        (tmp_path / ".ci").mkdir()
        (tmp_path / "tests").mkdir()
        (tmp_path / "examples").mkdir()
        shutil.copy(REPOSITORY / ".ci" / "run", tmp_path / ".ci")
        (tmp_path / "tests" / "run_tests.sh").write_text(f"echo == checks\nexit {checks}\n")
        (tmp_path / "examples" / "environment.sh").write_text("enter_environment() { :; }\n")
        (tmp_path / "listing").write_text(listing + "\n")
        python = tmp_path / "python"
        python.write_text(
            f'#!/bin/sh\ncase "$*" in *--collect-only*) cat {tmp_path}/listing; exit {collects};; '
            f"esac\nexit {passes}\n"
        )
        python.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CI_MINUTES": str(minutes)}
        return subprocess.run(
            ["bash", tmp_path / ".ci" / "run"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run_with


def test_checks_and_default_tests_run_once_and_first(run):
    result = run(LISTED)

    lines = [line for line in result.stdout.splitlines() if line.startswith("==")]
    assert lines[0] == "== checks"
    assert lines.count("== checks") == 1
    assert len(lines) == 3


def test_failed_checks_fail_and_end_the_run(run):
    result = run(LISTED, checks=3)

    assert result.returncode == 3
    assert result.stdout.splitlines() == ["== checks"]


def test_each_file_with_slow_tests_is_run_once(run):
    result = run(LISTED)

    assert result.returncode == 0
    assert result.stdout.count("== slow tests of tests/a/test_one.py") == 1
    assert result.stdout.count("== slow tests of tests/b/test_two.py") == 1


def test_a_test_file_that_cannot_be_collected_fails_and_is_shown(run):
    result = run(f"{LISTED}\nERROR tests/c/test_three.py", collects=2)

    assert result.returncode == 1
    assert "ERROR tests/c/test_three.py" in result.stdout


def test_an_empty_list_fails(run):
    result = run("no tests ran in 0.01s")

    assert result.returncode == 1
    assert "No slow tests were found" in result.stdout


def test_a_failing_file_fails_once_all_have_run(run):
    result = run(LISTED, passes=1)

    assert result.returncode == 1
    assert "== slow tests of tests/b/test_two.py" in result.stdout


def test_files_without_time_are_named_at_the_end(run):
    result = run(LISTED, minutes=8)

    assert result.stdout.splitlines()[-1].endswith("in: tests/a/test_one.py tests/b/test_two.py")
