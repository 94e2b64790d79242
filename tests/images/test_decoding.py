import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubcls.errors import DataError
from hubcls.images.decoding import inspect, read_with_pillow, to_rgb_array

GREY_WEIGHTS = (0.299, 0.587, 0.114)
OPAQUE, CLEAR = 255, 0
UPRIGHT_TO_STORED = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: np.rot90,
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image, -1),
}


def with_alpha(picture):
    alpha = np.full((*picture.shape[:2], 1), OPAQUE, np.uint8)
    alpha[:20] = CLEAR
    return np.concatenate([picture, alpha], axis=-1)


def on_white(picture):
    expected = picture.copy()
    expected[:20] = 255
    return expected


def largest_difference(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == np.uint8
    return int(np.abs(found.astype(int) - expected.astype(int)).max())


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tiff", "ppm"])
def test_lossless_colour_is_read_exactly(saved, picture, suffix):
    path = saved(picture, f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))

    assert np.array_equal(read_with_pillow(path), picture)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_colour_is_read_nearly(saved, picture, suffix):
    path = saved(picture, f"a.{suffix}", quality=95)

    assert largest_difference(read_with_pillow(path), picture) <= 12


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif"])
def test_grey_gives_three_equal_channels(saved, picture, suffix):
    grey = picture[..., 0]
    path = saved(grey, f"a.{suffix}")

    assert np.array_equal(read_with_pillow(path), np.stack([grey] * 3, axis=-1))


def test_black_and_white_png_becomes_0_and_255(saved):
    checks = np.indices((6, 8)).sum(axis=0) % 2 == 0
    path = saved(Image.fromarray(checks), "a.png")

    assert Image.open(path).mode == "1"
    assert np.array_equal(read_with_pillow(path)[..., 1], np.where(checks, 255, 0))


def test_png_alpha_shows_white(saved, picture):
    path = saved(with_alpha(picture), "a.png")

    assert np.array_equal(read_with_pillow(path), on_white(picture))


def test_half_transparent_pixels_are_mixed_with_white(saved):
    pixels = np.full((4, 4, 4), (100, 0, 200, 128), np.uint8)
    path = saved(pixels, "a.png")

    assert largest_difference(read_with_pillow(path)[:1, :1], np.uint8([[[177, 127, 227]]])) <= 1


def test_grey_png_with_alpha_shows_white(saved, picture):
    pixels = with_alpha(picture)[..., [0, 3]]
    path = saved(Image.fromarray(pixels, "LA"), "a.png")

    assert np.array_equal(read_with_pillow(path), on_white(picture[..., [0, 0, 0]]))


def test_webp_alpha_shows_white(saved, picture):
    path = saved(with_alpha(picture), "a.webp", lossless=True)

    assert np.array_equal(read_with_pillow(path), on_white(picture))


def test_palette_png_shows_its_colours(saved):
    colours = np.uint8([[255, 0, 0], [0, 128, 0], [10, 20, 30]])
    indices = np.arange(12).reshape(3, 4) % 3
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(colours.ravel().tolist())

    assert np.array_equal(read_with_pillow(saved(image, "a.png")), colours[indices])


def test_transparent_palette_entry_shows_white(saved):
    colours = np.uint8([[255, 0, 0], [0, 128, 0]])
    indices = np.arange(12).reshape(3, 4) % 2
    image = Image.fromarray(indices.astype(np.uint8), "P")
    image.putpalette(colours.ravel().tolist())

    found = read_with_pillow(saved(image, "a.png", transparency=1))

    assert np.array_equal(found, np.uint8([[255, 0, 0], [255, 255, 255]])[indices])


def test_transparent_colour_of_an_rgb_png_shows_white(saved):
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[0] = (1, 2, 3)
    path = saved(pixels, "a.png", transparency=(1, 2, 3))

    assert np.array_equal(read_with_pillow(path)[:, 0], [[255, 255, 255], [0, 0, 0]])
    assert inspect(path).needs_pillow


def test_16_bit_grey_png_is_scaled_to_8_bits(saved, picture):
    path = saved(picture[..., 0].astype(np.uint16) * 257, "a.png")

    assert np.array_equal(read_with_pillow(path), picture[..., [0, 0, 0]])


def test_16_bit_colour_png_is_scaled_to_8_bits(tmp_path, picture):
    path = tmp_path / "a.png"
    path.write_bytes(png_of(picture.astype(">u2") * 257, bit_depth=16, colour_type=2))

    assert np.array_equal(read_with_pillow(str(path)), picture)


def test_16_bit_grey_tiff_is_scaled_to_8_bits(saved, picture):
    path = saved(picture[..., 0].astype(np.uint16) * 257, "a.tiff")

    assert np.array_equal(read_with_pillow(path), picture[..., [0, 0, 0]])


def test_32_bit_float_tiff_is_refused_for_its_unknown_range(saved):
    path = saved(np.ones((3, 3), np.float32), "a.tiff")

    with pytest.raises(DataError, match="32-bit values"):
        inspect(path)


def test_cmyk_jpeg_shows_its_colours(saved, picture):
    path = saved(Image.fromarray(picture).convert("CMYK"), "a.jpg", quality=98, subsampling=0)

    assert largest_difference(read_with_pillow(path), picture) <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotated_jpeg_is_turned_upright(saved, picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(UPRIGHT_TO_STORED[orientation](picture))
    path = saved(stored, "a.jpg", quality=98, subsampling=0, exif=exif)

    assert largest_difference(read_with_pillow(path), picture) <= 8


def test_inspection_gives_the_size_of_the_upright_picture(saved, picture):
    exif = Image.Exif()
    exif[0x0112] = 6

    found = inspect(saved(picture, "a.jpg", exif=exif))

    assert (found.height, found.width) == (56, 40)


def test_a_broken_exif_block_does_not_make_a_picture_unreadable(saved, picture):
    path = saved(picture, "a.jpg", exif=b"Exif\0\0XX\0\x01\x02\x03 this is no TIFF header")

    assert read_with_pillow(path).shape == (40, 56, 3)


def test_of_an_animated_gif_the_first_frame_is_read(saved, picture):
    frames = [Image.fromarray(np.full((5, 7), grey, np.uint8)) for grey in (50, 200)]

    path = saved(frames[0], "a.gif", save_all=True, append_images=frames[1:])

    assert np.array_equal(read_with_pillow(path), np.full((5, 7, 3), 50))


def test_transparent_gif_shows_white(saved):
    image = Image.fromarray(np.uint8([[0, 1], [1, 0]]), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])

    found = read_with_pillow(saved(image, "a.gif", transparency=1))

    assert np.array_equal(found[0], [[10, 20, 30], [255, 255, 255]])


def test_a_gif_named_jpg_is_read_as_what_it_is(saved, picture):
    path = saved(picture[..., 0], "a.jpg", format="GIF")

    assert np.array_equal(read_with_pillow(path), picture[..., [0, 0, 0]])
    assert (inspect(path).format, inspect(path).needs_pillow) == ("GIF", True)


def test_a_single_pixel_is_an_image(saved):
    path = saved(np.uint8([[[1, 2, 3]]]), "a.png")

    assert read_with_pillow(path).tolist() == [[[1, 2, 3]]]


def test_bytes_are_read_like_the_file_that_holds_them(saved, picture):
    contents = Path(saved(picture, "a.png")).read_bytes()

    assert np.array_equal(read_with_pillow(contents), picture)


@pytest.mark.parametrize(
    ("mode", "name", "needs_pillow"),
    [
        ("RGB", "a.jpg", False),
        ("L", "a.jpg", False),
        ("RGB", "a.png", False),
        ("L", "a.png", False),
        ("CMYK", "a.jpg", True),
        ("RGBA", "a.png", True),
        ("LA", "a.png", True),
        ("P", "a.png", True),
        ("1", "a.png", True),
        ("I;16", "a.png", True),
        ("RGB", "a.gif", True),
        ("RGB", "a.bmp", True),
        ("RGB", "a.webp", False),
        ("RGB", "a.tiff", True),
    ],
)
def test_only_plain_jpeg_png_and_webp_go_without_pillow(saved, picture, mode, name, needs_pillow):
    image = Image.fromarray(picture)
    image = image.convert("L").convert(mode) if mode == "I;16" else image.convert(mode)

    assert inspect(saved(image, name)).needs_pillow is needs_pillow


def test_a_webp_with_alpha_or_several_frames_needs_pillow(saved, picture):
    image = Image.fromarray(picture)
    image.putalpha(100)
    moving = saved(image.convert("RGB"), "b.webp", save_all=True, append_images=[image])

    assert inspect(saved(image, "a.webp")).needs_pillow
    assert inspect(moving).needs_pillow


def test_a_png_without_its_end_chunk_needs_pillow(saved, picture, tmp_path):
    contents = Path(saved(picture, "a.png")).read_bytes()
    cut_off = tmp_path / "b.png"
    cut_off.write_bytes(contents[:-12])

    assert inspect(str(cut_off)).needs_pillow
    assert np.array_equal(read_with_pillow(str(cut_off)), picture)


def test_a_png_with_bytes_after_its_end_needs_pillow(saved, picture, tmp_path):
    path = tmp_path / "b.png"
    path.write_bytes(Path(saved(picture, "a.png")).read_bytes() + b"more")

    assert inspect(str(path)).needs_pillow
    assert np.array_equal(read_with_pillow(str(path)), picture)


def test_a_truncated_file_is_refused_with_the_reason(saved, picture, tmp_path):
    for name in ("a.jpg", "a.png", "a.gif", "a.bmp", "a.webp"):
        contents = Path(saved(picture, name)).read_bytes()
        cut_off = tmp_path / f"cut_off_{name}"
        cut_off.write_bytes(contents[: len(contents) // 2])

        with pytest.raises(DataError, match=r"damaged or cut off|no image format"):
            inspect(str(cut_off))


def test_an_empty_file_is_refused_as_empty(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")

    with pytest.raises(DataError, match="empty"):
        inspect(str(path))


def test_a_text_file_is_refused_with_its_first_bytes(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("hello, I am no image")

    with pytest.raises(DataError, match=r"no image format that Pillow reads.*hello"):
        inspect(str(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        inspect(str(tmp_path / "absent.jpg"))
    with pytest.raises(DataError, match="directory"):
        inspect(str(tmp_path))


def test_a_picture_of_400_million_pixels_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_of(np.zeros((1, 1), np.uint8), size=(20_000, 20_000)))

    with pytest.raises(DataError, match=r"too large.*400000000 pixels"):
        inspect(str(path))


def test_reading_a_bad_file_names_it(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"")

    with pytest.raises(DataError, match=r"a\.jpg: is empty"):
        read_with_pillow(str(path))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_a_grey_array_gets_three_channels(shape):
    grey = np.arange(20, dtype=np.uint8).reshape(shape)

    assert np.array_equal(to_rgb_array(grey), np.stack([grey.reshape(4, 5)] * 3, axis=-1))


def test_an_array_with_alpha_shows_white(picture):
    assert np.array_equal(to_rgb_array(with_alpha(picture)), on_white(picture))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_an_array_of_other_numbers_within_0_and_255_is_taken(picture, dtype):
    assert np.array_equal(to_rgb_array(picture.astype(dtype)), picture)


def test_fractions_are_rounded():
    assert to_rgb_array(np.full((1, 1), 99.6))[0, 0, 0] == 100


def test_a_16_bit_array_keeps_its_high_byte(picture):
    assert np.array_equal(to_rgb_array(picture.astype(np.uint16) * 257), picture)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((2, 2), 0.5), "0–255 is wanted"),
        (np.full((2, 2, 3), 1.0), "0–255 is wanted"),
        (np.full((2, 2), 255, np.uint16), "ambiguous"),
        (np.full((2, 2), -1), "within 0–255"),
        (np.full((2, 2), 256.0), "within 0–255"),
        (np.full((2, 2), np.nan), "within 0–255"),
        (np.full((2, 2), True), "not bool"),
        (np.zeros((3, 8, 8), np.uint8), "channels come last"),
        (np.zeros((1, 8, 8, 3), np.uint8), "one image at a time"),
        (np.zeros((0, 8, 3), np.uint8), "shape"),
    ],
)
def test_an_array_that_is_no_clear_image_is_refused(array, message):
    with pytest.raises(DataError, match=message):
        to_rgb_array(array)


def test_a_black_float_array_is_black_on_either_scale():
    assert to_rgb_array(np.zeros((2, 2))).max() == 0


def test_a_pillow_image_is_read_like_its_file(saved, picture):
    path = saved(with_alpha(picture), "a.png")

    assert np.array_equal(to_rgb_array(Image.open(path)), read_with_pillow(path))


def test_inspecting_files_loads_no_tensorflow():
    script = "import sys; from hubcls.images import inspect; print('tensorflow' in sys.modules)"

    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert result.stdout.strip() == "False", result.stderr


def png_of(pixels, *, bit_depth=8, colour_type=0, size=None):
    """A PNG written by hand, for what Pillow does not write: 16-bit colour, false sizes."""
    height, width = size or pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    out = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    out.seek(0, io.SEEK_END)
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(name + body))
        out.write(struct.pack(">I", len(body)) + name + body + checksum)
    return out.getvalue()
