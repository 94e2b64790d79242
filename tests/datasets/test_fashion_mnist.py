import dataclasses
import gzip
import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from hubcls.datasets import FashionMNIST
from hubcls.datasets.finding import spec
from hubcls.errors import DataError, DownloadError

DEBIAN = Path(spec("fashion_mnist").sources["original"].installed_at[0])
needs_debians_package = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason="apt-get install dataset-fashion-mnist"
)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def miniature():
    """The four files with 60 training and 10 test images, by name."""
    random = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte.gz": random.integers(0, 256, (60, 28, 28), np.uint8),
        "train-labels-idx1-ubyte.gz": np.tile(np.arange(10, dtype=np.uint8), 6),
        "t10k-images-idx3-ubyte.gz": random.integers(0, 256, (10, 28, 28), np.uint8),
        "t10k-labels-idx1-ubyte.gz": np.arange(10, dtype=np.uint8),
    }
    return {name: idx(array) for name, array in arrays.items()}


def row_for(miniature, served):
    """The catalogue's row with the miniature's addresses and hashes."""
    row = spec("fashion_mnist")
    source = row.sources["original"]
    files = tuple(
        dataclasses.replace(
            file,
            urls=(served.url("missing"), served.url(file.name)),
            sha256=hashlib.sha256(miniature[file.name]).hexdigest(),
            size_bytes=len(miniature[file.name]),
            content_sha256=hashlib.sha256(gzip.decompress(miniature[file.name])).hexdigest(),
        )
        for file in source.files
    )
    source = dataclasses.replace(source, files=files, installed_at=())
    return dataclasses.replace(row, sources={"original": source})


def test_the_files_are_downloaded_where_no_package_brings_them(miniature, served, home):
    for name, content in miniature.items():
        (served.folder / name).write_bytes(content)

    dataset = FashionMNIST(row=row_for(miniature, served))

    assert dataset.info.num_examples == {"train": 50, "val": 10, "test": 10}
    assert dataset.split("test").images.shape == (10, 28, 28, 1)
    assert dataset.split("test").labels.tolist() == list(range(10))
    assert dataset.info.source == str(home / "datasets" / "fashion_mnist")


def test_a_second_time_needs_no_network(miniature, served, monkeypatch):
    for name, content in miniature.items():
        (served.folder / name).write_bytes(content)
    row = row_for(miniature, served)
    FashionMNIST(row=row)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    assert len(FashionMNIST(row=row).split("test")) == 10


def test_other_bytes_are_not_accepted_from_the_network(miniature, served):
    for name in miniature:
        (served.folder / name).write_bytes(gzip.compress(b"other"))

    with pytest.raises(DownloadError):
        FashionMNIST(row=row_for(miniature, served))


def test_files_compressed_anew_are_accepted_as_debians_are(miniature, served, tmp_path):
    row = row_for(miniature, served)
    for name, content in miniature.items():
        (tmp_path / name).write_bytes(gzip.compress(gzip.decompress(content), 1))

    assert len(FashionMNIST(tmp_path, row=row).split("test")) == 10


def test_other_content_in_the_folder_is_an_error(miniature, served, tmp_path):
    row = row_for(miniature, served)
    for name, content in miniature.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(10, np.uint8)))

    with pytest.raises(DataError, match="other content than published"):
        FashionMNIST(tmp_path, row=row)


def test_a_missing_file_is_an_error(miniature, served, tmp_path):
    with pytest.raises(DataError, match="train-images"):
        FashionMNIST(tmp_path, row=row_for(miniature, served))


def test_a_flip_keeps_the_label_and_a_crop_does_not(miniature, served, tmp_path):
    for name, content in miniature.items():
        (tmp_path / name).write_bytes(content)

    keeps_label = FashionMNIST(tmp_path, row=row_for(miniature, served)).info.keeps_label

    assert keeps_label.horizontal_flip
    assert not keeps_label.random_crop


@needs_debians_package
def test_debians_package_holds_the_published_images():
    dataset = FashionMNIST()

    assert dataset.info.num_examples == spec("fashion_mnist").num_examples
    assert dataset.info.source == str(DEBIAN)
    assert np.bincount(dataset.split("val").labels).tolist() == [100] * 10


@needs_debians_package
def test_two_thousand_training_examples_are_taken_in_a_moment():
    dataset = FashionMNIST()
    start = time.perf_counter()

    smaller = dataset.with_train_examples(2000)

    assert time.perf_counter() - start < 0.5
    assert np.bincount(smaller.split("train").labels).tolist() == [200] * 10
    assert len(smaller.split("test")) == 10_000
