"""What the style tests look at: every Python file of the library, parsed once."""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python file of hubcls/."""

    module: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def place(self):
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def room(self):
        parts = self.module.split(".")
        return parts[1] if len(parts) > 1 else parts[0]

    @staticmethod
    def packages_of(node):
        """The top-level packages that an import statement names; none for other nodes."""
        if isinstance(node, ast.Import):
            return [alias.name.split(".")[0] for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            return [node.module.split(".")[0]]
        return []


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def standard_library():
    return set(sys.stdlib_module_names)


@pytest.fixture(scope="session")
def sources():
    found = [read_source(path) for path in sorted((REPOSITORY / "hubcls").rglob("*.py"))]
    assert len(found) > 10
    return found


def read_source(path):
    text = path.read_text(encoding="utf-8")
    parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return Source(".".join(parts), path, text, ast.parse(text, str(path)))
