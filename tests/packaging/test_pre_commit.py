"""The commit hooks are quick checks of tests/run_tests.sh, not others."""

import re
import shlex
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = re.compile(r"^(?:exec )?python -m (ruff \w+|mypy|pytest)", re.MULTILINE)


def test_hooks_run_the_tools_that_the_checks_run():
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text("utf-8"))
    checks = TOOL.findall((REPOSITORY / "tests" / "run_tests.sh").read_text("utf-8"))
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]

    tools = [tool for entry in entries for tool in TOOL.findall(f"python -m {plain(entry)}")]

    assert len(tools) == len(entries)
    assert sorted(tools) == sorted(checks) == ["mypy", "pytest", "ruff check", "ruff format"]


def plain(entry):
    """The command of a hook without `python -m`."""
    return shlex.join(shlex.split(entry.removeprefix("python -m ")))
