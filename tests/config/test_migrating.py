"""What docs/migrating.md gives as the way to do something here is really there."""

import re
import shlex
from pathlib import Path

import pytest

from hubcls.cli.configs import config_of
from hubcls.cli.parsing import build_parser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"


def ways():
    """Every snippet in the last column of a table."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    for row in rows:
        yield from re.findall(r"`([^`]+)`", row.rstrip("| ").rpartition(" | ")[2])


OVERRIDES = sorted({way for way in ways() if way.startswith("-o ")})
FLAGS = sorted({flag for way in ways() for flag in re.findall(r"(?<![\w-])--[a-z-]+", way)})


def test_there_are_overrides_and_flags():
    assert len(OVERRIDES) >= 8
    assert len(FLAGS) >= 15


@pytest.mark.parametrize("way", OVERRIDES)
def test_an_override_is_right(way):
    typed = ["train", "--dataset", "digits", "--strategy", "scheduled", *shlex.split(way)]

    config = config_of(build_parser().parse_args(typed))

    assert config.calls["strategy"].name == "ScheduledStrategy"


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_one_of_hubcls(flag, capsys):
    helps = []
    for verb in ("train", "eval", "predict", "convert-config"):
        with pytest.raises(SystemExit):
            build_parser().parse_args([verb, "--help"])
        helps.append(capsys.readouterr().out)

    assert re.search(rf"{flag}\b", "".join(helps))
