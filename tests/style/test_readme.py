"""The README's commands, code and links lead somewhere."""

import os
import re
import subprocess
import sys

import pytest

COMMANDS = ("examples/image_classification/run_classifier.sh", "tests/run_tests.sh")
BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def pages(repository):
    return [
        *sorted(repository.glob("README*.md")),
        *(
            page
            for folder in ("benchmarks", "datasets", "docs", "examples", "modules")
            for page in sorted((repository / folder).rglob("*.md"))
        ),
    ]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_gives_a_command_that_exists(name, command, repository):
    text = (repository / name).read_text(encoding="utf-8")

    assert f"sh {command}" in text
    assert (repository / command).is_file()


def test_python_blocks_compile(pages):
    blocks = [(page, code) for page in pages for _, code in BLOCK.findall(page.read_text("utf-8"))]

    for page, code in blocks:
        compile(code, str(page), "exec")

    assert blocks


def test_blocks_marked_runnable_run(pages, repository, tmp_path):
    blocks = [
        (page, code)
        for page in pages
        for mark, code in BLOCK.findall(page.read_text("utf-8"))
        if mark.strip() == "runnable"
    ]

    for page, code in blocks:
        run_block(code, page, repository, tmp_path)

    assert blocks


def test_no_page_waits_for_a_figure(pages):
    unfinished = [
        f"{page.name}:{number}: {line}"
        for page in pages
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        if "@@" in line
    ]

    assert unfinished == []


def test_relative_links_lead_to_files(pages):
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for groups in LINK.findall(page.read_text("utf-8"))
        for target in groups
        if target and not re.match(r"[a-z]+:|#", target)
        if not (page.parent / target.partition("#")[0]).exists()
    ]

    assert broken == []


def run_block(code, page, repository, folder):
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{page}:\n{code}\n{result.stderr}"
