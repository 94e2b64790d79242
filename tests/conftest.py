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

from hubcls.datasets.finding import spec
from hubcls.datasets.originals import write_lists


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


@pytest.fixture(scope="session")
def dataset_of():
    """The function `striped_dataset`."""
    return striped_dataset


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


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory):
    """The user's cache neither helps the tests nor is filled by them."""
    if "HUBCLS_HOME" not in os.environ:
        os.environ["HUBCLS_HOME"] = str(tmp_path_factory.mktemp("hubcls_home"))


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


@pytest.fixture
def draw_miniature(tmp_path, monkeypatch):
    """Draws a data set of the catalogue in its true layout, in a home of the test's own.

    ILSVRC2012, which nobody fetches, lies beside that home.
    """
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))

    def draw(name):
        if name == "imagenet":
            _draw_imagenet(tmp_path / "ILSVRC2012")
            return
        row = spec(name)
        for publisher, source in row.sources.items():
            folder = tmp_path / "home" / "datasets" / name / publisher
            base = folder / source.base
            if source.layout == "lists":
                _draw_lists(base, row, source)
            elif source.layout == "class_folders":
                for number in range(8 * row.num_classes):
                    name_of_class = row.class_names[number % row.num_classes]
                    class_folder = source.folders.get(name_of_class, name_of_class)
                    _draw(base / class_folder / f"{number}.jpg", seed=number)
                write_lists(row, source, folder)

    return draw


def _draw_lists(base, row, source):
    """PaddleHub's or PaddleClas' files: an image or two of each class, and their lists."""
    for phase, file in source.lists.items():
        lines = []
        for number in range(row.num_classes * (2 if phase == "train" else 1)):
            path = f"jpg/{phase}_{number:05}.jpg"
            _draw(base / path, seed=number)
            label = number % row.num_classes
            several = ",".join(str(int(one in (label, 0))) for one in range(row.num_classes))
            is_several = row.name == "nus_wide_scene"
            lines.append(f"{path}\t{several}" if is_several else f"{path} {label}")
        (base / file).write_text("\n".join(lines) + "\n")
    if source.label_file:
        (base / source.label_file).write_text("\n".join(row.class_names) + "\n")


def _draw_imagenet(folder):
    """A train folder of three classes, and a flat val folder with PaddlePaddle's list."""
    for synset in ("n01440764", "n02123045", "n03888257"):
        for number in range(8):
            _draw(folder / "train" / synset / f"{synset}_{number}.JPEG", seed=number)
    lines = []
    for number, label in enumerate((0, 281, 701, 0)):
        _draw(folder / "val" / f"ILSVRC2012_val_{number:08}.JPEG", seed=number)
        lines.append(f"val/ILSVRC2012_val_{number:08}.JPEG {label}\n")
    (folder / "val_list.txt").write_text("".join(lines))


def _draw(path, *, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).save(path, quality=60)
