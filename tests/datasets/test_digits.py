import numpy as np
from sklearn.datasets import load_digits

from hubcls.datasets import Digits
from hubcls.datasets.finding import spec


def test_the_digits_are_split_in_70_15_and_15_percent():
    dataset = Digits()

    assert dataset.info.num_examples == {"train": 1257, "val": 270, "test": 270}
    assert dataset.info.class_names == tuple("0123456789")
    for phase in ("train", "val", "test"):
        counts = np.bincount(dataset.split(phase).labels) / len(dataset.split(phase))
        np.testing.assert_allclose(counts, 0.1, atol=0.01)


def test_pixels_reach_from_0_to_255():
    images = Digits().split("train").images

    assert images.shape == (1257, 8, 8, 1)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)


def test_every_digit_of_scikit_learn_is_there_once():
    dataset = Digits()

    images = np.concatenate([dataset.split(phase).images for phase in ("train", "val", "test")])

    original = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, images)) == sorted(map(bytes, original))


def test_neither_a_flip_nor_a_crop_keeps_a_digit():
    keeps_label = Digits().info.keeps_label

    assert not keeps_label.horizontal_flip
    assert not keeps_label.random_crop


def test_the_seed_decides_the_splits():
    first, again, other = (Digits(seed=seed).split("val").fingerprint() for seed in (0, 0, 1))

    assert first == again != other


def test_the_catalogue_states_the_true_numbers():
    assert spec("digits").num_examples == Digits().info.num_examples
