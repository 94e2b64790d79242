"""Figures of a run: learning curves, confusion matrix, scores by class, sample images.

Drawn on matplotlib figures of our own, never through pyplot: no window system is asked
for, and a notebook's open figures stay as they are. The colours are those of Okabe and
Ito (2008), which people with any form of colour blindness tell apart.
"""

from __future__ import annotations

import io
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hubcls.evaluation.history import Value

BLUE, VERMILLION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
_PHASE_COLOURS = {"train": BLUE, "val": VERMILLION, "test": GREEN}
_LINE_STYLES = ("-", "--", ":", "-.")
_MOST_NUMBERED_CLASSES = 30
_MOST_BARS = 40
_SCORES = {"f1": "F1", "ap": "average precision"}
# DejaVu, matplotlib's own, has no Chinese; the first of these that is installed follows it.
_CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Droid Sans Fallback", "PingFang SC", "Microsoft YaHei", "SimHei",
)  # fmt: skip


def draw_curves(axes: Axes, history: Sequence[Mapping[str, Value]], metrics: Sequence[str]) -> None:
    """Curves of some metrics over the steps, one colour a phase, one line style a metric.

    Args:
        axes: where to draw.
        history: rows with "step" and columns such as "train/loss" and "val/accuracy".
        metrics: what stands behind the slash.
    """
    for style, metric in zip(itertools.cycle(_LINE_STYLES), metrics):
        for phase, colour in _PHASE_COLOURS.items():
            column = f"{phase}/{metric}"
            points = [(row["step"], row[column]) for row in history if column in row]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    linestyle=style, color=colour, marker="o", markersize=3, label=column,
                )  # fmt: skip
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False, fontsize=8)


def draw_confusion(
    axes: Axes, confusion: npt.NDArray[np.int64], class_names: Sequence[str]
) -> None:
    """The confusion matrix, coloured by the share of each true class.

    Counts and names stand in it up to 30 classes; beyond, only the colours do.
    """
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title("confusion matrix: counts, coloured by share of the true class", fontsize=9)
    if len(class_names) > _MOST_NUMBERED_CLASSES:
        axes.set_title(f"confusion matrix of {len(class_names)} classes, by share", fontsize=9)
        return
    places = range(len(class_names))
    names = [_shortened(name) for name in class_names]
    size = float(np.clip(200 / len(class_names), 6.5, 9))
    text: dict[str, Any] = {"fontsize": size, "fontfamily": font_families()}
    axes.set_xticks(places, names, rotation=90, **text)
    axes.set_yticks(places, names, **text)
    for row, column in np.argwhere(confusion > 0):
        is_dark = shares[row, column] > 0.5
        axes.text(
            column, row, f"{confusion[row, column]}",
            ha="center", va="center", fontsize=size, color="white" if is_dark else "black",
        )  # fmt: skip


def draw_class_scores(
    axes: Axes, per_class: Sequence[Mapping[str, Any]], score: str = "f1"
) -> None:
    """A score of each class as a bar; the lowest 40 where there are more.

    Args:
        axes: where to draw.
        per_class: rows with "class_name", the score and "num_examples".
        score: the row's key: "f1" or "ap".
    """
    rows, title = list(per_class), f"{_SCORES[score]} by class"
    if len(rows) > _MOST_BARS:
        rows = sorted(rows, key=lambda row: float(row[score]))[:_MOST_BARS]
        title += f": the lowest {_MOST_BARS} of {len(per_class)}"
    size = float(np.clip(240 / len(rows), 6.5, 9))
    names = [f"{_shortened(row['class_name'])} ({row['num_examples']})" for row in rows]
    axes.barh(range(len(rows)), [row[score] for row in rows], color=BLUE, height=0.7)
    axes.set_yticks(range(len(rows)), names, fontsize=size, fontfamily=font_families())
    for place, row in enumerate(rows):
        axes.text(1.01, place, f"{row[score]:.3f}", va="center", fontsize=size)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.12)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(f"{title} (number of examples)", fontsize=9)


def confusion_figure(confusion: npt.NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """A figure of the confusion matrix alone."""
    side = confusion_side(len(class_names))
    figure = Figure(figsize=(side, side), layout="constrained")
    draw_confusion(figure.subplots(), confusion, class_names)
    return figure


def confusion_side(num_classes: int) -> float:
    """Inches that a readable confusion matrix needs on each side."""
    return min(10.0, 4.0 + 0.2 * num_classes)


def sample_figure(images: npt.NDArray[np.uint8], labels: Sequence[str]) -> Figure:
    """Images in a grid with their class below.

    Args:
        images: uint8 [N, H, W, 3], N at least 1.
        labels: N class names.
    """
    columns = min(len(images), 8)
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[1:3]
    tile_height = 1.6 * min(height / width, 2.0) + 0.4
    figure = Figure(figsize=(1.6 * columns, tile_height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    # The grid may have more places than there are images.
    for axes, image, label in zip(grid.flat, images, labels, strict=False):
        axes.imshow(image, interpolation="nearest")
        # Below the image, where axes.set_xlabel would stand if the frame were drawn.
        axes.text(
            0.5, -0.04, _shortened(label), transform=axes.transAxes, ha="center", va="top",
            fontsize=8, fontfamily=font_families(),
        )  # fmt: skip
    return figure


def png(figure: Figure, *, dots_per_inch: int = 120) -> bytes:
    """The figure as a PNG file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A class name in a script that no installed font has is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="png", dpi=dots_per_inch)
    return buffer.getvalue()


def font_families() -> list[str]:
    """Fonts for class names: matplotlib's own, then an installed one with Chinese."""
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *[name for name in _CHINESE_FONTS if name in installed][:1]]


def _shortened(name: str, limit: int = 24) -> str:
    # A dollar sign would start a formula.
    text = name if len(name) <= limit else name[: limit - 1] + "…"
    return text.replace("$", r"\$")
