"""Many pictures on one: a row an image, a column a treatment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_GAP = 6
_LETTER_WIDTH = 0.56  # of the font's size, on average
_LINE_HEIGHT = 1.25
_INK = (40, 40, 40)


def contact_sheet(
    columns: Mapping[str, Sequence[npt.NDArray[np.uint8]]], *, side: int = 128
) -> Image.Image:
    """A picture with a title over each column.

    Args:
        columns: title → images, uint8 [H, W, 3]; as many in each column.
        side: pixels of the longer side of each image on the sheet.
    """
    height, width = next(iter(columns.values()))[0].shape[:2]
    scale = side / max(height, width)
    tile = (max(1, round(width * scale)), max(1, round(height * scale)))
    size = max(9, side // 9)
    letters = max(6, int(tile[0] / (size * _LETTER_WIDTH)))
    titles = [_wrapped(title, letters) for title in columns]
    top = _GAP + round(max(map(len, titles)) * size * _LINE_HEIGHT)
    rows = len(next(iter(columns.values())))
    whole = (_GAP + len(columns) * (tile[0] + _GAP), top + _GAP + rows * (tile[1] + _GAP))
    sheet = Image.new("RGB", whole, (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    for place, (lines, images) in enumerate(zip(titles, columns.values(), strict=True)):
        left = _GAP + place * (tile[0] + _GAP)
        # Titles of one line stand next to their column, not to the upper border.
        first = top - round(len(lines) * size * _LINE_HEIGHT)
        for number, line in enumerate(lines):
            at = (left + tile[0] / 2, first + number * size * _LINE_HEIGHT)
            draw.text(at, line, fill=_INK, font=font, anchor="ma")
        for row, image in enumerate(images):
            small = Image.fromarray(image).resize(tile, Image.Resampling.LANCZOS)
            sheet.paste(small, (left, top + _GAP + row * (tile[1] + _GAP)))
    return sheet


def _wrapped(title: str, letters: int) -> list[str]:
    """The title in lines, broken at spaces and behind underscores."""
    lines = textwrap.wrap(title.replace("_", "_ "), letters)
    return [line.replace("_ ", "_") for line in lines]
