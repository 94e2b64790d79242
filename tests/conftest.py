"""Fixtures that several rooms share: a small picture set and a small backbone."""

import functools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("HUBCLS_OFFLINE", "1")
# What the tests expect, bit for bit, is what a CPU computes.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; with threads of their own they would wait for each other.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np
import pytest
from PIL import Image, ImageDraw


def stripes(count: int, seed: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Noisy 16×16 stripes; the direction is the class: across, down, diagonal."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    rows, columns = np.mgrid[:16, :16]
    phases = {0: rows, 1: columns, 2: rows + columns}
    images = np.stack([(phases[int(label)] + random.integers(4)) % 4 < 2 for label in labels])
    noisy = images * 160.0 + random.normal(40, 20, images.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None], labels.astype(np.int64)


def striped_dataset(train: int = 48, val: int = 18, test: int = 20):
    from hubcls.datasets.base import Dataset, DatasetInfo, LabelKeeping, Split

    info = DatasetInfo(
        "stripes",
        ("across", "down", "diagonal"),
        keeps_label=LabelKeeping(horizontal_flip=False, random_crop=False),
        licence="CC0",
    )
    splits = {
        phase: Split(*stripes(count, seed))
        for seed, (phase, count) in enumerate({"train": train, "val": val, "test": test}.items())
    }
    return Dataset(info, splits)


def small_backbone(seed: int = 0):
    """Two convolutions with BatchNorm between, 16 px, 8 features a place."""
    import keras

    from hubcls.modules.normalization import InputNormalization

    keras.utils.set_random_seed(seed)
    image = keras.Input((16, 16, 3), name="image")
    x = InputNormalization(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), name="normalize")(image)
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", name="stage")(x)
    x = keras.layers.ReLU(name="stage_relu")(x)
    return keras.Model(image, x, name="small")


@pytest.fixture
def dataset():
    return striped_dataset()


@pytest.fixture
def backbone():
    return small_backbone()


def striped_task(
    folder, *, dropout=0.0, hidden_units=None, metrics_choices="default", data=None, **config
):
    """A task on stripes that runs in `folder`; further arguments go to RunConfig."""
    import hubcls

    settings = {"checkpoint_dir": folder, "batch_size": 8, "num_epoch": 1, **config}
    return hubcls.ImageClassifierTask(
        feature=small_backbone().output,
        dataset=data or striped_dataset(),
        config=hubcls.RunConfig(**settings),
        dropout=dropout,
        hidden_units=hidden_units,
        metrics_choices=metrics_choices,
    )


@pytest.fixture(scope="session")
def task_in():
    """The function `striped_task`."""
    return striped_task


@pytest.fixture
def make_task(tmp_path):
    """`striped_task` in a folder of this test's own."""
    return functools.partial(striped_task, tmp_path / "ckpt")


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Twelve images of each of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    for name, colour in (("daisy", "white"), ("roses", "red")):
        (folder / name).mkdir()
        for number in range(12):
            image = Image.new("RGB", (64, 48), (20, 90 + 5 * number, 30))
            ImageDraw.Draw(image).ellipse((8 + number, 8, 40 + number, 40), fill=colour)
            image.save(folder / name / f"{number}.jpg")
    return folder


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """The folder of a backbone that is built and traced in a second."""
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Conv2D(8, 5, strides=4, activation="relu", name="stem")(image)
    features = keras.layers.Conv2D(16, 3, strides=2, activation="relu", name="top")(features)
    folder = tmp_path_factory.mktemp("network")
    keras.Model(image, features).save(folder / "network.keras")
    return folder
