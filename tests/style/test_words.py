"""What stands nowhere: prints in the library, open ends, places on somebody's machine."""

import ast
import re

import pytest

TEXT_SUFFIXES = {".cfg", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
TEXT_FOLDERS = (
    ".github", "benchmarks", "datasets", "docs", "examples", "hubcls", "modules", "tests",
)  # fmt: skip
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
HOMES = "|".join(("home", "root", "Users", "work", "mnt"))


@pytest.fixture(scope="module")
def texts(repository):
    paths = [path for path in repository.iterdir() if path.suffix in TEXT_SUFFIXES]
    for folder in TEXT_FOLDERS:
        paths += [path for path in (repository / folder).rglob("*") if path.suffix in TEXT_SUFFIXES]
    return {
        path.relative_to(repository).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.is_file()
    }


def test_only_the_command_line_prints_or_exits(sources):
    loud = [
        f"{source.place}:{node.lineno}"
        for source in sources
        if source.room != "cli"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and called_name(node) in {"print", "sys.exit", "exit", "quit"}
    ]

    assert loud == []


def test_no_file_has_a_vague_name(sources):
    assert [source.place for source in sources if source.path.stem in VAGUE_NAMES] == []


def test_open_ends_name_their_issue(texts):
    marker = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    keep = "tests/style/test_words.py"

    assert places(texts, marker, leave_out=keep) == []


def test_no_text_names_a_place_on_somebodys_machine(texts):
    absolute = re.compile(rf"(?<![\w.~$}}/:-])/(?:{HOMES})/\w|[A-Z]:\\Users")

    assert places(texts, absolute) == []


def places(texts, pattern, *, leave_out=""):
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in sorted(texts.items())
        if name != leave_out
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def called_name(call):
    return ast.unparse(call.func)
