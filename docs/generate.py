"""Write docs/modules.md and docs/datasets.md from the catalogue.

python docs/generate.py            writes the pages
python docs/generate.py --check    writes nothing; exit code 1 when a page is out of date
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from hubcls.datasets import finding as datasets
from hubcls.datasets.spec import DatasetSpec, RemoteFile
from hubcls.modules import finding as modules
from hubcls.modules.spec import ModuleSpec, Paper

DOCS = Path(__file__).resolve().parent
PLOT = DOCS / "images" / "modules.svg"
NOTE = "<!-- Written by docs/generate.py from the catalogue; do not edit. -->"


def modules_page() -> str:
    """All modules, a table for each family."""
    specs = sorted(modules.specs(), key=lambda spec: (spec.family, spec.name))
    sections = [
        family_section(family, list(rows))
        for family, rows in groupby(specs, key=lambda spec: spec.family)
    ]
    intro = (
        f"{len(specs)} modules in {len(sections)} families, nearly all of them pretrained. "
        '`hubcls.Module(name="…")` takes a name or an alias, and loads the first of the weights '
        "listed with it; `weights=` takes another publisher's, a file of yours, or None. "
        "`hubcls modules show NAME` prints everything known about one, `hubcls modules list "
        "--max-macs 1G --sort top1` searches. Accuracies are on the ImageNet validation set, in "
        "percent, as the publisher of those weights states them; parameters are those without the "
        "head, multiply-adds (MACs) those of the whole network at the listed size. How our own "
        "networks are held to their references: [parity.md](parity.md).\n\n"
        f"![Published top-1 accuracy against multiply-adds](images/{PLOT.name})\n\n"
        "Numbered are those that no other beats with fewer multiply-adds; accuracies come from "
        "many hands, at each network's own image size."
    )
    return page("Modules", intro, sections)


def plotted(specs: Sequence[ModuleSpec]) -> list[tuple[float, float, str]]:
    """Multiply-adds, top-1 accuracy and name, where both are known; cheapest first."""
    points = [
        (spec.num_macs / 1e9, spec.published.top1, spec.name)
        for spec in specs
        if spec.num_macs and spec.published
    ]
    return sorted(points)


def unbeaten(points: list[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """The points that none to their left reaches."""
    best, found = 0.0, []
    for point in points:
        if point[1] > best:
            best = point[1]
            found.append(point)
    return found


def draw_plot() -> None:
    """Accuracy against multiply-adds, as an SVG whose bytes depend on the catalogue alone."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "hubcls", "font.size": 8})
    from matplotlib import pyplot

    points = plotted(modules.specs())
    figure, axes = pyplot.subplots(figsize=(10, 7))
    axes.scatter([x for x, _, _ in points], [y for _, y, _ in points], s=14, color="#9db4c8")
    front = unbeaten(points)
    axes.plot([x for x, _, _ in front], [y for _, y, _ in front], "o-", ms=4, lw=1, color="#c8402f")
    for number, (macs, top1, _) in enumerate(front, start=1):
        # Neighbours close together get their numbers on different sides.
        place = (-9, 2) if number % 2 else (5, -9)
        axes.annotate(str(number), (macs, top1), place, textcoords="offset points")
    names = [f"{number}  {name}" for number, (_, _, name) in enumerate(front, start=1)]
    listed = "\n".join(names)
    axes.text(0.63, 0.02, listed, transform=axes.transAxes, va="bottom")
    axes.set_xscale("log")
    axes.set(xlabel="multiply-adds for one image, in billions", ylabel="top-1 accuracy, percent")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def family_section(family: str, specs: list[ModuleSpec]) -> str:
    """One family: what it is, and a row for each module."""
    first = specs[0]
    rows = [
        [
            f"`{spec.name}`",
            f"{spec.preprocessing.height} x {spec.preprocessing.width}",
            f"{spec.num_parameters / 1e6:.1f} M" if spec.num_parameters else "",
            f"{spec.num_macs / 1e9:.2f} G" if spec.num_macs else "",
            f"{spec.published.top1:.2f}" if spec.published else "",
            f"{spec.published.top5:.2f}" if spec.published and spec.published.top5 else "",
            ", ".join(spec.publishers)
            or (spec.note or "" if spec.weights is None else first.source),
            spec.licence,
            ", ".join(f"`{alias}`" for alias in spec.aliases),
        ]
        for spec in specs
    ]
    heading = [
        "name", "input", "parameters", "MACs", "top-1", "top-5", "weights", "licence", "also called"
    ]  # fmt: skip
    papers = list(dict.fromkeys(paper_line(spec.paper) for spec in specs))
    lines = [
        f"## {family}",
        f"{first.summary.rstrip('.')}. Built by `{first.source}`. {'; '.join(papers)}.",
    ]
    return "\n\n".join([*lines, table(heading, rows)])


def paper_line(paper: Paper) -> str:
    """A paper as title, year and link."""
    link = f", [arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
    return f"{paper.title}, {paper.year}{link}"


def datasets_page() -> str:
    """All data sets, a section each."""
    specs = list(datasets.specs().values())
    rows = [
        [f"[`{spec.name}`](#{spec.name})", spec.title, str(spec.num_classes), counts(spec)]
        for spec in specs
    ]
    intro = (
        f'{len(specs)} data sets by name: `hubcls.datasets.open_dataset("…")`, or their classes '
        "such as `hubcls.datasets.Flowers()`. `hubcls datasets prepare NAME` fetches one. Your own "
        "photos need no entry here: `ImageFolder`, `ImageList` and `ImageTable` read them, "
        "`unlabelled_images` those without labels. `from_tfds` and the name `tfds:NAME` open the "
        "image data sets of tensorflow-datasets (extra `tfds`).\n\n"
        + table(["name", "title", "classes", "images"], rows)
    )
    return page("Data sets", intro, [dataset_section(spec) for spec in specs])


def dataset_section(spec: DatasetSpec) -> str:
    """One data set: what it is and what it may be used for."""
    unsuitable = [
        name
        for name, kept in (
            ("horizontal flip", spec.keeps_label.horizontal_flip),
            ("random crop", spec.keeps_label.random_crop),
        )
        if not kept
    ]
    files = [
        (f"source {name}", ", ".join(map(file_link, source.files)))
        for name, source in spec.sources.items()
    ]
    facts = [
        ("title", f"[{spec.title}]({spec.homepage})"),
        ("images", counts(spec)),
        ("classes", f"{spec.num_classes}: {', '.join(spec.class_names)}".rstrip(": ")),
        ("licence", spec.licence),
        ("brought by", spec.brought_by),
        *files,
        ("left out of the augmentation", ", ".join(unsuitable)),
        ("also called", ", ".join(f"`{alias}`" for alias in spec.aliases)),
    ]
    rows = [[name, value] for name, value in facts if value]
    return "\n\n".join([f"## {spec.name}", spec.summary, table(["", ""], rows)])


def file_link(file: RemoteFile) -> str:
    """A file with its address, and its size where that is published."""
    size = f" ({file.size_bytes / 1e6:,.1f} MB)" if file.size_bytes else ""
    return f"[`{file.name}`]({file.urls[0]}){size}"


def counts(spec: DatasetSpec) -> str:
    """Numbers of images, by split where they are known."""
    return ", ".join(f"{part} {count:,}" for part, count in spec.num_examples.items())


def table(heading: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)


def page(title: str, intro: str, sections: list[str]) -> str:
    """A whole page."""
    return "\n\n".join([NOTE, f"# {title}", intro, *sections]) + "\n"


PAGES: dict[str, Callable[[], str]] = {"datasets.md": datasets_page, "modules.md": modules_page}


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    check = parser.parse_args().check
    stale = {}
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale[path] = text
    for path, text in stale.items():
        print(f"{path.name} is out of date" if check else f"wrote {path.name}")
        if not check:
            path.write_text(text, encoding="utf-8")
    if stale and not check:
        draw_plot()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
