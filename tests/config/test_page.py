"""docs/configs.md: its config reads, and its commands are ones that hubcls takes."""

import re
import shlex
from pathlib import Path

from hubcls.cli.parsing import build_parser
from hubcls.config.checking import SECTIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configs.md"
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(language):
    return [text for kind, text in BLOCK.findall(PAGE.read_text("utf-8")) if kind == language]


def test_the_pages_config_names_every_section_and_is_right(read):
    [text] = blocks("yaml")

    config = read(text)

    assert [line.split(":")[0] for line in text.splitlines() if line[0] != " "] == list(SECTIONS)
    assert len(config.open_dataset().split("train")) == 200


def test_the_pages_commands_parse():
    lines = [line for block in blocks("sh") for line in block.splitlines()]

    verbs = [build_parser().parse_args(shlex.split(line)[1:]).verb for line in lines]

    assert verbs == ["train", "train", "eval", "train"]
