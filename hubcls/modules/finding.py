"""Looking modules up by name; needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hubcls import catalogue
from hubcls.errors import CatalogueError, UnknownNameError
from hubcls.modules.spec import Family, ModuleSpec

_HINT = "List them all with: hubcls modules list"


@dataclass(frozen=True)
class ModuleIndex:
    """All modules of some YAML files.

    Attributes:
        specs: by name, ordered by name.
        aliases: other names, and the name each stands for.
        variants: the modules that aliases of one publisher's weights stand for.
    """

    specs: Mapping[str, ModuleSpec]
    aliases: Mapping[str, str]
    variants: Mapping[str, ModuleSpec]


def read_index(paths: Iterable[Path]) -> ModuleIndex:
    """The modules of these YAML files.

    Raises:
        CatalogueError: a file is wrong, or two rows claim one name; every place is named.
    """
    specs: dict[str, ModuleSpec] = {}
    aliases: dict[str, str] = {}
    variants: dict[str, ModuleSpec] = {}
    owners: dict[str, tuple[Path, str]] = {}
    problems: list[str] = []
    for path in paths:
        for spec in catalogue.read(path, Family).specs():
            specs[spec.name] = spec
            aliases.update(dict.fromkeys(spec.aliases, spec.name))
            variants.update(_named_variants(spec))
            for name in (spec.name, *spec.aliases):
                problems += _clash(name, path, owners)
                owners.setdefault(name, (path, name))
    if problems:
        raise CatalogueError("\n".join(problems))
    return ModuleIndex(
        specs=dict(sorted(specs.items())),
        aliases=dict(sorted(aliases.items())),
        variants=variants,
    )


def _named_variants(spec: ModuleSpec) -> Iterator[tuple[str, ModuleSpec]]:
    for variant in spec.variants:
        for alias in variant.weights.aliases if variant.weights else ():
            yield alias, dataclasses.replace(variant, variants=spec.variants)


def names() -> tuple[str, ...]:
    """The name of every module, without aliases."""
    return tuple(_index().specs)


def aliases() -> Mapping[str, str]:
    """Every other name that is understood, and the module it stands for."""
    return _index().aliases


def specs() -> tuple[ModuleSpec, ...]:
    """The facts about every module, ordered by name."""
    return tuple(_index().specs.values())


def spec(name: str) -> ModuleSpec:
    """The facts about one module, with the weights that the name stands for.

    Args:
        name: a module's name or one of its aliases. PaddleClas' name of a network stands
            for PaddleClas' weights, whoever's the catalogue prefers.

    Raises:
        UnknownNameError: there is no such module; names the nearest ones, and those of
            the same architecture when another library calls it so.
    """
    index = _index()
    found = index.variants.get(name) or index.specs.get(index.aliases.get(name, name))
    if found is not None:
        return found
    hint = _HINT
    cousins = [known.name for known in index.specs.values() if name in known.same_architecture]
    if cousins:
        hint = f"The same architecture with other weights: {', '.join(cousins)}.\n  {_HINT}"
    raise UnknownNameError("module", name, [*index.specs, *index.aliases], hint=hint)


def search(text: str) -> tuple[ModuleSpec, ...]:
    """The modules in whose facts every word of `text` occurs, ordered by name."""
    words = text.lower().split()
    return tuple(one for one in specs() if all(word in _searchable(one) for word in words))


@functools.cache
def _index() -> ModuleIndex:
    return read_index(catalogue.files("modules"))


def _searchable(spec: ModuleSpec) -> str:
    facts = (
        spec.name,
        spec.family,
        spec.summary,
        spec.source,
        spec.builder,
        spec.paper.title,
        spec.paper.arxiv or "",
        spec.licence,
        *spec.aliases,
        *spec.same_architecture,
    )
    return " ".join(facts).lower()


def _clash(name: str, path: Path, owners: Mapping[str, tuple[Path, str]]) -> list[str]:
    """A message when `name` is taken.

    Letter case tells names apart: PaddleClas' ResNet50 is another network than the one that
    PaddleHub's examples call resnet50.
    """
    if name not in owners:
        return []
    first_path, first_name = owners[name]
    first = _lines(first_path, first_name)[0]
    here = _lines(path, name)[-1]
    return [f"{path}:{here}: the name {name!r} is taken by {first_path}:{first}"]


def _lines(path: Path, name: str) -> list[int]:
    """The lines of a file in which a name stands as a whole word."""
    word = re.compile(rf"(?<![\w.\-]){re.escape(name)}(?![\w.\-])")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, start=1) if word.search(line)] or [1]
