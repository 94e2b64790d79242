"""The tutorials: every command and every line of Python of them runs, in order."""

import configparser
import re
from pathlib import Path

import pytest

from hubcls.cli.parsing import build_parser

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = ("new_user.md", "professional.md")
# Lines that no test types: they install, or serve until somebody stops them.
NOT_TYPED = (
    "python3 -m venv .venv",
    ". .venv/bin/activate",
    "pip install .",
    "tensorboard --logdir ckpt_first/visualization",
)


@pytest.mark.parametrize("name", PAGES)
def test_blocks_are_typed_or_show_what_was_printed(name, blocks_of):
    languages = [block.language for block in blocks_of(name)]

    assert set(languages) == {"sh", "python", "text"}
    assert languages.count("sh") >= 8


@pytest.mark.parametrize("name", PAGES)
def test_every_command_is_one_that_hubcls_takes(name, blocks_of, command_of):
    lines = [line for block in blocks_of(name) if block.language == "sh" for line in block.lines]
    commands = [command for line in lines if (command := command_of(line))]

    verbs = {build_parser().parse_args(command.arguments).verb for command in commands}

    assert verbs >= {"train", "eval", "predict", "datasets"}


def test_what_is_not_typed_stands_there_and_is_installed_by_setup_cfg(blocks_of):
    lines = {line for name in PAGES for block in blocks_of(name) for line in block.lines}
    text = "".join((REPOSITORY / "docs" / "tutorials" / name).read_text() for name in PAGES)
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")

    assert set(NOT_TYPED) <= lines
    assert set(re.findall(r"pip install '\.\[(\w+)\]'", text)) <= set(
        setup["options.extras_require"]
    )
    assert "tensorboard" in setup["options"]["install_requires"]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_from_its_first_line_to_its_last(name, blocks_of, reader):
    for block in blocks_of(name):
        reader.type_block(block, left_out=NOT_TYPED)

    made = set(re.findall(r"--checkpoint-dir (\w+)", "".join(b.text for b in blocks_of(name))))
    assert made
    assert [run for run in made if not (reader.folder / run / "best_model").is_dir()] == []
