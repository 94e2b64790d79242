import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.images.decoding import inspect, read_with_pillow
from hubcls.images.graph_decoding import decode, decode_window


def plain_files(saved, picture):
    image = Image.fromarray(picture)
    noisy = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    return {
        "smooth": saved(picture, "smooth.jpg"),
        "noisy": saved(noisy, "noisy.jpg", quality=60),
        "full colour": saved(noisy, "full.jpg", subsampling=0),
        "half colour": saved(noisy, "half.jpg", subsampling=1),
        "progressive": saved(noisy, "progressive.jpg", progressive=True),
        "RGB coded": saved(noisy, "rgb.jpg", keep_rgb=True),
        "grey": saved(picture[..., 0], "grey.jpg"),
        "upper case": saved(picture, "a.JPEG"),
        "several pictures": saved(image, "a.mpo", save_all=True, append_images=[image]),
        "jpeg named png": saved(noisy, "jpeg.png", format="JPEG"),
        "png": saved(noisy, "a.png"),
        "grey png": saved(noisy[..., 0], "grey.png"),
        "png named jpg": saved(noisy, "png.jpg", format="PNG"),
        "webp": saved(noisy, "a.webp", quality=60),
        "smooth webp": saved(picture, "b.webp", method=6),
        "lossless webp": saved(noisy, "c.webp", lossless=True),
        "grey webp": saved(Image.fromarray(picture).convert("L"), "grey.webp"),
    }


def test_plain_files_are_decoded_by_tensorflow_as_by_pillow(saved, picture):
    for kind, path in plain_files(saved, picture).items():
        assert not inspect(path).needs_pillow, kind

        decoded = decode(tf.constant(path), False).numpy()

        assert np.array_equal(decoded, read_with_pillow(path)), kind


def test_a_damaged_jpeg_that_pillow_mends_does_not_stop_tensorflow(saved, tmp_path):
    noisy = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    contents = Path(saved(noisy, "a.jpg")).read_bytes()
    path = tmp_path / "stray_marker.jpg"
    path.write_bytes(contents[:-316] + b"\xff\xe7" + contents[-314:])

    assert not inspect(str(path)).needs_pillow
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_jpeg(path.read_bytes())
    assert np.array_equal(decode(tf.constant(str(path)), False), read_with_pillow(str(path)))


def test_png_gamma_is_ignored_as_by_pillow(saved, picture):
    path = Path(saved(picture, "a.png"))
    contents = path.read_bytes()
    chunk = b"gAMA" + struct.pack(">I", 10_000)
    gamma = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(contents[:33] + gamma + contents[33:])

    assert Image.open(path).info["gamma"] == pytest.approx(0.1)
    assert np.array_equal(decode(tf.constant(str(path)), False), picture)


def test_other_files_are_decoded_by_pillow_inside_the_graph(saved, picture):
    path = saved(Image.fromarray(picture).convert("RGBA"), "a.webp", lossless=True)
    dataset = tf.data.Dataset.from_tensors((path, True)).map(decode)

    assert np.array_equal(next(iter(dataset)), picture)


def test_a_graph_for_plain_files_holds_no_python_function(saved, picture):
    dataset = tf.data.Dataset.from_tensors(saved(picture, "a.jpg"))

    graph = dataset.map(lambda path: decode(path, False))._as_serialized_graph().numpy()

    assert b"PyFunc" not in graph
    assert b"DecodeAndCropJpeg" in graph


def test_a_name_that_is_not_utf_8_is_opened(saved, picture):
    path = saved(picture, "caf\udce9.png")

    assert np.array_equal(decode(tf.constant(os.fsencode(path)), True), picture)


@pytest.mark.parametrize(
    "window", [(0, 0, 33, 47), (5, 7, 20, 31), (32, 46, 1, 1), (1, 1, 30, 45), (16, 16, 17, 17)]
)
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_window_of_a_jpeg_equals_that_part_of_the_picture(saved, window, subsampling):
    noisy = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    path = saved(noisy, "a.jpg", subsampling=subsampling)
    top, left, height, width = window

    found, halvings = decode_window(
        tf.constant(path), False, lambda size: (tf.constant(window), tf.constant(0))
    )

    whole = read_with_pillow(path)
    assert np.array_equal(found, whole[top : top + height, left : left + width])
    assert halvings == 0


@pytest.mark.parametrize("window", [(0, 0, 32, 40), (8, 16, 16, 24), (24, 40, 8, 8)])
@pytest.mark.parametrize("halvings", [1, 2, 3])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_halved_window_of_a_jpeg_equals_that_part_of_pillows_draft(
    saved, window, halvings, subsampling
):
    noisy = np.random.default_rng(0).integers(0, 256, (33, 50, 3), np.uint8)
    path = saved(noisy, "a.jpg", subsampling=subsampling)

    found, done = decode_window(
        tf.constant(path), False, lambda size: (tf.constant(window), tf.constant(halvings))
    )

    small = Image.open(path)
    small.draft("RGB", (50 // 2**halvings, 33 // 2**halvings))
    top, left, height, width = (number // 2**halvings for number in window)
    assert done == halvings
    assert np.array_equal(found, np.asarray(small)[top : top + height, left : left + width])


@pytest.mark.parametrize("name", ["a.png", "a.bmp"])
def test_a_window_of_other_formats_is_cut_after_decoding(saved, picture, name):
    path = saved(picture, name)

    found, halvings = decode_window(
        tf.constant(path),
        inspect(path).needs_pillow,
        lambda size: (tf.constant((2, 4, 6, 8)), tf.constant(1)),
    )

    assert np.array_equal(found, picture[2:8, 4:12])
    assert halvings == 0
