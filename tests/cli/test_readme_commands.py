"""Every `hubcls` command line that the README shows is one that the command understands."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from hubcls.cli.parsing import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
IN_BLOCK = re.compile(r"^(?:\$ )?(hubcls .*)$", re.MULTILINE)
IN_TEXT = re.compile(r"`(hubcls [^`]+)`")


def commands(page):
    """The command lines of a page, in its code blocks and between backquotes."""
    text = page.read_text(encoding="utf-8")
    blocks = (block.replace("\\\n", " ") for block in BLOCK.findall(text))
    in_blocks = [line for block in blocks for line in IN_BLOCK.findall(block)]
    return in_blocks, IN_TEXT.findall(BLOCK.sub("", text))


def complaint(line):
    """What the parser says against a command line; nothing when it takes it."""
    said = io.StringIO()
    arguments = shlex.split(line, comments=True)[1:]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            build_parser().parse_args(arguments)
    except SystemExit as end:
        return f"{line}\n{said.getvalue()}" if end.code else ""
    return ""


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readmes_commands_parse(name):
    in_blocks, in_text = commands(REPOSITORY / name)

    complaints = [words for line in (*in_blocks, *in_text) if (words := complaint(line))]

    assert complaints == []
    assert {line.split()[1] for line in in_blocks} >= {"train", "predict"}
    assert in_text
