from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hubcls.classification.predictions import softmax
from hubcls.classification.problem import SingleLabel
from hubcls.errors import ConfigError, DataError, UnreadableImagesError
from hubcls.evaluation.predicting import (
    listed_images,
    predict,
    predict_in_batches,
    with_features,
)
from hubcls.images.decoding import inspect
from hubcls.inference import Inference
from hubcls.pipeline.few_images import image_batch

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
        given = {"preprocessing": preprocessing, "problem": SingleLabel(NAMES), **changes}
        return predict(Inference(classifier), images, **given)

    return predict_with


@pytest.fixture
def name_in_batches(classifier, preprocessing):
    def predict_with(images, **changes):
        given = {"preprocessing": preprocessing, "problem": SingleLabel(NAMES), **changes}
        return predict_in_batches(Inference(with_features(classifier)), images, **given)

    return predict_with


@pytest.fixture
def mixture(tmp_path, pictures):
    """Thirty-six images in turn JPEG, PNG, WebP, GIF, array and Pillow image."""
    images = []
    for place in range(36):
        kind = ("jpg", "png", "webp", "gif", "array", "pillow")[place % 6]
        image = Image.fromarray(np.roll(pictures[place % 5], place, axis=1))
        path = tmp_path / f"{place:02}.{kind}"
        if kind == "array":
            images.append(np.asarray(image))
        elif kind == "pillow":
            images.append(image)
        else:
            image.save(path)
            images.append(path)
    return images


@pytest.fixture
def with_damage_inside(tmp_path, pictures):
    """Forty PNG files; the data of two are damaged between a right header and a right end."""
    paths = []
    for place in range(40):
        paths.append(tmp_path / f"{place:02}.png")
        Image.fromarray(pictures[place % 6]).save(paths[-1])
    for place in (17, 39):
        contents = bytearray(paths[place].read_bytes())
        contents[60:70] = bytes(10)
        paths[place].write_bytes(contents)
    return paths


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


def test_one_image_does_not_pay_for_a_full_batch(name, pictures, monkeypatch):
    sizes = []
    compute = Inference.outputs

    def recording(inference, batches, count):
        batches = list(batches)
        sizes.extend(len(batch) for batch in batches)
        return compute(inference, batches, count)

    monkeypatch.setattr(Inference, "outputs", recording)
    name(pictures[0], batch_size=32)

    assert sizes == [1]


@pytest.mark.parametrize("batch_size", [5, 64])
def test_a_mixture_of_kinds_keeps_its_order(name, classifier, preprocessing, mixture, batch_size):
    predictions = name(mixture, top_k=3, batch_size=batch_size)

    logits = [
        classifier.predict_on_batch(image_batch([image], preprocessing, check=inspect))[0]
        for image in mixture
    ]
    expected = np.sort(softmax(logits), axis=1)[:, ::-1]
    found = [[probability for _, probability in p.top] for p in predictions]
    assert len({prediction.top for prediction in predictions}) > 10
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert [p.class_name for p in predictions] == [NAMES[k] for k in np.argmax(logits, axis=1)]


def test_batches_are_those_of_all_at_once(name, name_in_batches, mixture):
    batches = list(name_in_batches(mixture, batch_size=8))

    assert [len(predictions) for predictions, _ in batches] == [8, 8, 8, 8, 4]
    assert [features.shape for _, features in batches] == [(8, 8)] * 4 + [(4, 8)]
    joined = [prediction for predictions, _ in batches for prediction in predictions]
    assert [p.source for p in joined] == [p.source for p in name(mixture)]
    np.testing.assert_allclose(
        [p.probability for p in joined], [p.probability for p in name(mixture)], atol=1e-5
    )


def test_damage_inside_files_is_named_after_the_images_before_it(
    name_in_batches, with_damage_inside
):
    done = []

    def read():
        for predictions, _ in name_in_batches(with_damage_inside, batch_size=4):
            done.extend(prediction.source for prediction in predictions)

    with pytest.raises(UnreadableImagesError) as error:
        read()

    assert done == [str(path) for path in with_damage_inside[: len(done)]]
    assert len(done) in (8, 12, 16)
    failing = [str(with_damage_inside[place]) for place in (17, 39)]
    assert [path for path, _ in error.value.failures] == failing


def test_damage_that_pillow_mends_ends_nothing(name, with_damage_inside, pictures):
    for place, path in enumerate(with_damage_inside):
        Image.fromarray(pictures[place % 6]).save(path)
    contents = bytearray(with_damage_inside[17].read_bytes())
    contents[-16:-12] = bytes(4)  # the checksum of the pixels, which Pillow does not read
    with_damage_inside[17].write_bytes(contents)

    predictions = name(with_damage_inside, batch_size=4)

    assert [p.source for p in predictions] == list(map(str, with_damage_inside))
    assert predictions[17].top == predictions[23].top


def test_each_ordinary_file_is_decoded_once(name, pictures, tmp_path, monkeypatch):
    for place in range(40):
        Image.fromarray(pictures[place % 6]).save(tmp_path / f"{place}.jpg")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("by Pillow"))

    assert len(name(tmp_path)) == 40


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
