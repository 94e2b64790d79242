"""The data sets of the catalogue, by name."""

from __future__ import annotations

from functools import lru_cache

from hubcls import catalogue
from hubcls.datasets.spec import DatasetSpec
from hubcls.errors import CatalogueError, UnknownNameError


def names() -> tuple[str, ...]:
    """The names of all data sets of the catalogue, sorted."""
    return tuple(sorted(specs()))


def spec(name: str) -> DatasetSpec:
    """The catalogue's row for a name or an alias; case and hyphens do not matter.

    Raises:
        UnknownNameError: no row has the name; lists the nearest ones.
    """
    rows = specs()
    wanted = name.lower().replace("-", "_")
    by_alias = {alias: row.name for row in rows.values() for alias in row.aliases}
    if by_alias.get(wanted, wanted) not in rows:
        raise UnknownNameError(
            "data set", name, [*rows, *by_alias], hint="List them all with: hubcls datasets list"
        )
    return rows[by_alias.get(wanted, wanted)]


@lru_cache(maxsize=1)
def specs() -> dict[str, DatasetSpec]:
    """All rows of the catalogue by name.

    Raises:
        CatalogueError: a row is wrong, or is not called as its file.
    """
    rows = {}
    for path in catalogue.files("datasets"):
        row = catalogue.read(path, DatasetSpec)
        if row.name != path.stem:
            raise CatalogueError(f"{path}: the name is {row.name!r}, not that of the file")
        rows[row.name] = row
    return rows
