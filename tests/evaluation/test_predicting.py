from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubcls.classification.problem import SingleLabel
from hubcls.errors import ConfigError, DataError, UnreadableImagesError
from hubcls.evaluation.predicting import listed_images, predict

NAMES = ("across", "down", "diagonal")


@pytest.fixture
def pictures(dataset):
    """Six stripes, uint8 [16, 16, 3], whose classes the untrained network tells apart."""
    return [np.repeat(image, 3, axis=2) for image in dataset.split("test").images[:6]]


@pytest.fixture
def paths(tmp_path, pictures):
    paths = [tmp_path / "photos" / f"{place}.png" for place in range(len(pictures))]
    paths[0].parent.mkdir()
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path)
    return paths


@pytest.fixture
def name(classifier, preprocessing):
    def predict_with(images, **changes):
        return predict(
            classifier, images, preprocessing=preprocessing, problem=SingleLabel(NAMES), **changes
        )

    return predict_with


def test_paths_arrays_and_pillow_images_are_told_alike_in_the_order_given(name, pictures, paths):
    images = [
        pictures[0], str(paths[1]), Image.fromarray(pictures[2]), paths[3], pictures[4], paths[5],
    ]  # fmt: skip

    predictions = name(images, top_k=3)

    assert [p.top for p in predictions] == [p.top for p in name(pictures, top_k=3)]
    assert [p.source for p in predictions] == [
        "0",
        str(paths[1]),
        "2",
        str(paths[3]),
        "4",
        str(paths[5]),
    ]


def test_predictions_follow_their_image_through_any_order(name, pictures):
    forward = name(pictures)

    backward = name(pictures[::-1])

    assert len({p.top for p in forward}) > 1
    assert [p.top for p in backward[::-1]] == [p.top for p in forward]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_batch_size_changes_no_probability(name, pictures, batch_size):
    predictions = name(pictures, batch_size=batch_size)

    expected = [p.probability for p in name(pictures)]
    np.testing.assert_allclose([p.probability for p in predictions], expected, atol=1e-5)


def test_top_k_classes_come_best_first_and_add_up_to_one(name, pictures):
    (prediction,) = name(pictures[0], top_k=3)

    probabilities = [probability for _, probability in prediction.top]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-5)
    assert prediction.top[0] == (prediction.class_name, prediction.probability)
    assert {class_name for class_name, _ in prediction.top} == set(NAMES)


def test_one_image_does_not_pay_for_a_full_batch(name, classifier, pictures):
    sizes = []
    run = type(classifier).predict

    def recording(model, batches, **options):
        sizes.extend(batch.shape[0] for batch in batches)
        return run(model, batches, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(classifier), "predict", recording)
        name(pictures[0], batch_size=32)

    assert sizes == [1]


def test_a_folder_stands_for_its_images_sorted_and_with_those_below(paths):
    folder = paths[0].parent
    (folder / "sub").mkdir()
    paths[0].rename(folder / "sub" / "A.PNG")
    (folder / "notes.txt").write_text("no image")
    (folder / ".thumbnail.png").write_bytes(b"no image")

    listed = listed_images(folder)

    assert listed == [*map(str, paths[1:]), str(folder / "sub" / "A.PNG")]


def test_a_batch_of_arrays_is_so_many_images(name, pictures):
    assert len(name(np.stack(pictures))) == 6


def test_without_images_there_are_no_predictions(name):
    assert name([]) == []


def test_every_missing_path_is_listed(name, paths, tmp_path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(DataError, match=r"gone\.png: no such file.*\n.*empty: the folder holds no"):
        name([tmp_path / "gone.png", paths[0], tmp_path / "empty"])


def test_every_unreadable_file_is_listed(name, paths):
    paths[1].write_bytes(b"")
    paths[3].write_bytes(paths[3].read_bytes()[:60])

    with pytest.raises(UnreadableImagesError) as error:
        name(paths)

    assert [Path(path) for path, _ in error.value.failures] == [paths[1], paths[3]]


def test_top_k_below_one_is_an_error(name, pictures):
    with pytest.raises(ConfigError, match="top_k"):
        name(pictures, top_k=0)
