import numpy as np
import pytest
from PIL import Image

from hubcls.errors import DataError
from hubcls.images.decoding import inspect
from hubcls.images.glancing import glance

ROTATED = Image.Exif()
ROTATED[0x0112] = 6


def kinds(picture):
    """Name, image and options of a file of every kind."""
    colour, grey = Image.fromarray(picture), Image.fromarray(picture[..., 0])
    clear = colour.convert("RGBA")
    clear.putalpha(grey)
    other = Image.fromarray(picture[::-1])
    return {
        "colour.jpg": (colour, {}),
        "grey.jpg": (grey, {}),
        "progressive.jpg": (colour, {"progressive": True}),
        "print.jpg": (colour.convert("CMYK"), {}),
        "rotated.jpg": (colour, {"exif": ROTATED}),
        "colour.png": (colour, {}),
        "grey.png": (grey, {}),
        "clear.png": (clear, {}),
        "palette.png": (colour.quantize(8), {}),
        "one_colour_clear.png": (colour, {"transparency": (0, 0, 0)}),
        "deep.png": (Image.fromarray(picture[..., 0].astype(np.uint16) * 256), {}),
        "rotated.png": (colour, {"exif": ROTATED}),
        "moving.png": (colour, {"save_all": True, "append_images": [other]}),
        "colour.gif": (colour, {}),
        "colour.webp": (colour, {}),
        "colour.bmp": (colour, {}),
        "png_named.jpg": (colour, {"format": "PNG"}),
    }


def test_a_glance_at_any_kind_of_file_finds_what_an_inspection_finds(saved, picture):
    paths = [saved(image, name, **given) for name, (image, given) in kinds(picture).items()]

    assert [glance(path) for path in paths] == [inspect(path) for path in paths]


@pytest.mark.parametrize("name", ["colour.jpg", "grey.png", "png_named.jpg"])
def test_an_ordinary_file_is_not_decoded(saved, picture, name, monkeypatch):
    image, given = kinds(picture)[name]
    path = saved(image, name, **given)
    monkeypatch.setattr("hubcls.images.glancing.inspect", lambda path: pytest.fail("inspected"))

    assert glance(path).path == path


@pytest.mark.parametrize("name", ["colour.jpg", "colour.png", "colour.gif", "colour.webp"])
@pytest.mark.parametrize("kept", [0, 10, 0.4, 0.7])
def test_what_is_cut_off_is_found_with_the_reason_that_an_inspection_gives(
    saved, picture, name, kept
):
    path = saved(picture, name)
    with open(path, "rb+") as file:  # noqa: PTH123
        whole = len(file.read())
        file.truncate(int(kept * whole) if kept < 1 else kept)

    assert fault(glance, path) == fault(inspect, path) != ""


def test_missing_files_and_folders_are_told_as_by_an_inspection(tmp_path):
    for path in (str(tmp_path / "none.jpg"), str(tmp_path)):
        assert fault(glance, path) == fault(inspect, path) != ""


def fault(check, path):
    try:
        check(path)
    except DataError as error:
        return str(error)
    return ""
