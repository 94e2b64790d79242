"""docs/modules.md and docs/datasets.md say what the catalogue says."""

import runpy

import pytest


@pytest.fixture(scope="module")
def generator(repository):
    return runpy.run_path(str(repository / "docs" / "generate.py"))


@pytest.mark.parametrize("name", ["datasets.md", "modules.md"])
def test_a_generated_page_is_up_to_date(name, generator, repository):
    page = repository / "docs" / name

    assert page.read_text(encoding="utf-8") == generator["PAGES"][name](), (
        "run: python docs/generate.py"
    )
