import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.datasets.base import Split
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation
from hubcls.pipeline import decoded
from hubcls.pipeline.building import TrainingStream, evaluation_batches
from hubcls.pipeline.decoded import DecodedSource
from hubcls.preprocessing import Preprocessing

SMALL = Preprocessing(16, 20)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "cache" / "images"


@pytest.fixture
def photos(tmp_path):
    """Seven noisy pictures of several sizes: JPEG, PNG, and PNG with alpha."""
    paths = []
    for place in range(7):
        noise = np.random.default_rng(place).integers(0, 256, (60 + 9 * place, 90, 3), np.uint8)
        path = tmp_path / f"{place}.{'jpg' if place % 3 == 0 else 'png'}"
        image = Image.fromarray(noise)
        (image.convert("RGBA") if place % 3 == 2 else image).save(path)
        paths.append(str(path))
    return Split(tuple(paths), np.arange(7) % 3, np.arange(7) % 3 == 2)


def batches(split, *, augmentation=Augmentation(), start=0, count=4):  # noqa: B008 - frozen
    stream = TrainingStream(split, 3, SMALL, 4, augmentation, 0, decoded_cache=True)
    return np.stack([images for images, _ in stream.batches(start, count).as_numpy_iterator()])


def test_kept_images_give_the_pixels_of_images_that_had_no_room(photos, cache, monkeypatch):
    kept = batches(photos)
    monkeypatch.setenv("HUBCLS_CACHE_GB", "0")
    monkeypatch.setenv("HUBCLS_HOME", str(cache / "elsewhere"))

    anew = batches(photos)

    assert not list((cache / "elsewhere").rglob("*.bin"))
    assert np.array_equal(kept, anew)


def test_a_stream_from_the_cache_goes_on_wherever_it_is_cut(photos):
    assert np.array_equal(batches(photos)[2:], batches(photos, start=2, count=2))


def test_a_second_stream_reads_no_image_file(photos):
    first = batches(photos)
    for path in photos.images:
        status = Path(path).stat()
        Path(path).write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert np.array_equal(batches(photos), first)


def test_images_are_shrunk_until_the_least_crop_has_the_inputs_pixels(photos):
    source = DecodedSource(photos, SMALL, Augmentation(min_area=0.5))

    for index in range(len(photos)):
        height, width = source._shrunk(tf.constant(index)).shape[:2]
        assert 640 <= height * width < 1.1 * 640
        with Image.open(photos.images[index]) as image:
            assert abs(image.width / image.height - width / height) < 0.1


def test_small_images_are_kept_as_they_are(photos):
    source = DecodedSource(photos, Preprocessing(80, 90), Augmentation())

    for index, path in enumerate(photos.images):
        with Image.open(path) as image:
            assert np.array_equal(source._shrunk(tf.constant(index)), image.convert("RGB"))


@pytest.mark.parametrize("rule", ["center_crop", "stretch", "letterbox"])
def test_without_crops_images_are_kept_as_evaluation_sees_them(photos, rule):
    preprocessing = SMALL.replaced(resize=rule)
    stream = TrainingStream(photos, 3, preprocessing, 7, None, 0, decoded_cache=True)

    ((images, _),) = stream.batches(0, 1).as_numpy_iterator()

    (evaluated,) = evaluation_batches(photos, preprocessing, batch_size=7).as_numpy_iterator()
    assert {image.tobytes() for image in images} == {image.tobytes() for image in evaluated}


def test_flips_alone_mirror_what_evaluation_sees(photos):
    images = batches(photos, augmentation=Augmentation(min_area=1.0), count=4).reshape(16, -1)

    (evaluated,) = evaluation_batches(photos, SMALL, batch_size=7).as_numpy_iterator()
    known = {image.tobytes() for image in np.concatenate([evaluated, evaluated[:, :, ::-1]])}
    assert {image.tobytes() for image in images} <= known


def test_a_changed_file_is_decoded_anew(photos):
    before = batches(photos)
    Image.new("RGB", (90, 60), (1, 2, 3)).save(photos.images[1])

    after = batches(photos)

    assert not np.array_equal(before, after)
    assert (after == (1, 2, 3)).all(axis=(2, 3, 4)).any()


def test_a_kept_file_that_was_cut_off_is_made_again(photos, cache):
    first = batches(photos)
    (pixels,) = cache.rglob("pixels.bin")
    pixels.write_bytes(pixels.read_bytes()[:-1])

    assert np.array_equal(batches(photos), first)


def test_what_a_killed_process_left_is_not_trusted(photos, cache, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(decoded.np, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            batches(photos)
    assert not list(cache.rglob("sizes.npy"))

    assert batches(photos).shape == (4, 4, 16, 20, 3)


def test_streams_under_way_outlive_the_removal_of_their_file(photos, cache):
    stream = TrainingStream(photos, 3, SMALL, 4, Augmentation(), 0, decoded_cache=True)
    ready = stream.batches(0, 4)
    for path in cache.rglob("*.bin"):
        path.unlink()

    assert np.array_equal(np.stack([images for images, _ in ready]), batches(photos))


def test_the_folder_used_longest_ago_leaves_first(photos, cache, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", str(2.5 * 7 * 640 * 3 / 1e9))
    for moment, count in enumerate((7, 6, 5)):
        DecodedSource(photos.subset(range(count)), SMALL, Augmentation(min_area=0.5))
        for path in cache.rglob("sizes.npy"):
            if len(np.load(path)) == count:
                os.utime(path.parent, (moment, moment))

    assert {len(np.load(path)) for path in cache.rglob("sizes.npy")} == {5, 6}


def test_a_limit_that_is_no_number_is_refused(photos, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "much")

    with pytest.raises(ConfigError, match="HUBCLS_CACHE_GB"):
        batches(photos)
