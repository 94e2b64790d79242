"""Exit codes, and what a user sees when something is wrong."""

import subprocess
import sys

import pytest

from hubcls.cli.main import main
from hubcls.version import __version__


def test_a_verb_that_works_ends_with_0(capsys):
    code = main(["datasets", "list"])

    assert code == 0
    assert "digits" in capsys.readouterr().out


def test_an_error_of_ours_ends_with_2_and_stands_on_standard_error(capsys):
    code = main(["datasets", "show", "digit"])

    streams = capsys.readouterr()
    assert code == 2
    assert streams.out == ""
    assert streams.err.startswith("UnknownNameError: no data set is called 'digit'.")
    assert "Nearest names: digits" in streams.err
    assert "Traceback" not in streams.err


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--dataset"]])
def test_a_wrong_command_line_ends_with_2_and_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ending:
        main(arguments)

    assert ending.value.code == 2
    assert "usage: hubcls" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("hubcls.cli.datasets.run", interrupted)

    assert main(["datasets", "list"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m hubcls modules list | head -n 1"

    result = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602

    assert result.stdout.startswith("name ")
    assert result.stderr == ""


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ending:
        main(["--version"])

    assert ending.value.code == 0
    assert capsys.readouterr().out == f"hubcls {__version__}\n"
