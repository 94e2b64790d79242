"""What docs/migrating.md gives as the way to do something here is really there."""

import functools
import operator
import re
import shlex
from pathlib import Path

import pytest

import hubcls
from hubcls.cli.configs import config_of
from hubcls.cli.parsing import build_parser
from hubcls.serving.predictor import Predictor

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "migrating.md"
VERBS = (
    *("train", "eval", "predict", "convert-config", "find-lr", "augment"),
    *("modules list", "datasets prepare"),
)
# What a call gives, for the methods that the page names behind it.
MADE = {"load": Predictor, "Module": hubcls.Module}


def rows():
    """The cells of every row of every table, headings and rules apart."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return [re.split(r" \| ", line.removeprefix("| ").removesuffix(" |")) for line in lines]


WAYS = [way for row in rows() for way in re.findall(r"`([^`]+)`", row[-1])]
OVERRIDES = sorted({way for way in WAYS if way.startswith("-o ")})
FLAGS = sorted({flag for way in WAYS for flag in re.findall(r"(?<![\w-])--[a-z-]+", way)})
COMMANDS = sorted({way for way in WAYS if way.startswith("hubcls ")})
NAMES = sorted({name for way in WAYS for name in re.findall(r"\bhubcls(?:\.\w+)+", way)})
METHODS = sorted(
    {found for way in WAYS for found in re.findall(r"hubcls\.(\w+)\([^)]*\)\.(\w+)", way)}
)
PATHS = sorted(
    {path for way in WAYS for path in re.findall(r"\b(?:benchmarks|docs|examples)/[\w./]+", way)}
)


def test_every_table_has_its_ways():
    assert len(rows()) >= 150
    assert len(OVERRIDES) >= 20
    assert len(FLAGS) >= 25
    assert len(COMMANDS) >= 30
    assert min(map(len, (NAMES, METHODS, PATHS))) >= 3


def test_no_cell_is_empty_or_still_open():
    cells = [cell.strip() for row in rows() for cell in row]

    assert [cell for cell in cells if not cell or "not yet" in cell] == []


@pytest.mark.parametrize("way", OVERRIDES)
def test_an_override_is_right(way):
    typed = ["train", "--dataset", "digits", "--strategy", "scheduled", *shlex.split(way)]

    config = config_of(build_parser().parse_args(typed))

    assert config.calls["strategy"].name == "ScheduledStrategy"


@pytest.fixture(scope="module")
def help_texts():
    texts = []
    for verb in VERBS:
        parser = build_parser()
        for word in verb.split():
            [actions] = (one for one in parser._actions if isinstance(one.choices, dict))
            parser = actions.choices[word]
        texts.append(parser.format_help())
    return "".join([build_parser().format_help(), *texts])


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_one_of_hubcls(flag, help_texts):
    assert re.search(rf"{flag}\b", help_texts)


@pytest.mark.parametrize("way", COMMANDS)
def test_a_command_is_one_that_hubcls_takes(way, capsys):
    words = [word for word in shlex.split(way)[1:] if word != "…"]

    try:
        build_parser().parse_args(words)
    except SystemExit as end:
        # A cell may leave out what every such command is given.
        if end.code:
            assert "the following arguments are required" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_the_api_is_there(name):
    functools.reduce(getattr, name.split(".")[1:], hubcls)


@pytest.mark.parametrize(("maker", "method"), METHODS)
def test_what_is_asked_of_a_made_object_is_there(maker, method):
    assert operator.attrgetter(method)(MADE[maker])


@pytest.mark.parametrize(
    "method", sorted({m for w in WAYS for m in re.findall(r"task\.(\w+)\(", w)})
)
def test_a_method_of_a_task_is_there(method):
    assert callable(getattr(hubcls.ImageClassifierTask, method))


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_there(path):
    assert (REPOSITORY / path.rstrip(".")).exists()
