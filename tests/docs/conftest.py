"""The code blocks of a page, and somebody who types them."""

import contextlib
import io
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from hubcls.cli.configs import config_of
from hubcls.cli.main import main
from hubcls.cli.parsing import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Whatever trains does so on small images, and ends cleanly after a second; what would have to
# be fetched for it is a small network with random weights. The configs' own networks are
# trained in tests/config/test_example_configs.py.
SMALL = ("--input-size", "64", "--max-seconds", "1")
IN_PLACE_OF_FETCHED = ("--module", "SqueezeNet1_1", "--weights", "none")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def lines(self):
        """The commands of a shell block."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line and not line.startswith("#")]


@dataclass(frozen=True)
class Command:
    """A line of a shell block: what is set for it, and what `hubcls` is given."""

    variables: dict
    arguments: list

    @classmethod
    def of(cls, line):
        """None for the line of another program."""
        words = shlex.split(line)
        variables = {}
        while words and re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            variables[name] = value
        return cls(variables, words[1:]) if words[:1] == ["hubcls"] else None

    @property
    def trains(self):
        return self.arguments[0] in ("train", "find-lr")


@pytest.fixture(scope="session")
def blocks_of():
    """The blocks of a page of docs/tutorials."""

    def read(name):
        text = (REPOSITORY / "docs" / "tutorials" / name).read_text(encoding="utf-8")
        return [Block(*found) for found in BLOCK.findall(text)]

    return read


@pytest.fixture(scope="session")
def command_of():
    """The function `Command.of`."""
    return Command.of


@pytest.fixture
def reader(tmp_path, monkeypatch, draw_miniature):
    """Types blocks in a folder that has the examples, and miniatures of what is fetched."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    for name in ("cifar100", "flowers102", "imagenet", "nus_wide_scene"):
        draw_miniature(name)
    return ReaderOfAPage(tmp_path, monkeypatch)


class ReaderOfAPage:
    """Somebody at a shell and at a Python prompt."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        self._monkeypatch = monkeypatch

    def type_block(self, block, *, left_out=()):
        if block.language == "python":
            exec(compile(block.text, "<tutorial>", "exec"), {"__name__": "__main__"})  # noqa: S102
        if block.language == "sh":
            for line in block.lines:
                if line not in left_out:
                    self.type_line(line)

    def type_line(self, line):
        command = Command.of(line)
        if command is None:
            subprocess.run(["sh", "-ec", line], check=True)
            return
        with self._monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
            for name, value in command.variables.items():
                patch.setenv(name, value)
            assert main(made_small(command)) == 0, line


def made_small(command):
    """The arguments of a command on little."""
    if not command.trains:
        return command.arguments
    weights = config_of(build_parser().parse_args(command.arguments)).module.spec.weights
    return [*command.arguments, *SMALL, *(() if weights.package else IN_PLACE_OF_FETCHED)]
