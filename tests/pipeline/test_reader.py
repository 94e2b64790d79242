import numpy as np
import pytest

from hubcls.datasets.base import Dataset, DatasetInfo, LabelKeeping, Split
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.preprocessing import Preprocessing

INFO = DatasetInfo("greys", ("low", "middle", "high"))
MODULES_OWN = Preprocessing(
    224, 224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize="stretch"
)


def info(**keeps):
    return DatasetInfo("greys", ("a", "b"), keeps_label=LabelKeeping(**keeps))


@pytest.fixture
def dataset(files, arrays):
    return Dataset(INFO, {"train": files, "val": arrays, "test": arrays.subset([2, 1])})


def greys_of(batches):
    return np.concatenate([images[:, 4, 4, 0] for images, *_ in batches])


def test_a_reader_with_nothing_stated_keeps_the_modules_preprocessing():
    assert ImageClassificationReader().preprocessing(MODULES_OWN, INFO) == MODULES_OWN


def test_what_is_stated_replaces_the_modules():
    reader = ImageClassificationReader(160, 192, resize="letterbox", interpolation="bicubic")

    merged = reader.preprocessing(MODULES_OWN, INFO)

    assert merged == MODULES_OWN.replaced(
        width=160, height=192, resize="letterbox", interpolation="bicubic"
    )


def test_paddlehubs_script_form_is_taken():
    reader = ImageClassificationReader(
        image_width=224,
        image_height=224,
        images_mean=np.array([[0.485, 0.456, 0.406]]),
        images_std=np.array([[0.229, 0.224, 0.225]]),
        dataset=None,
    )

    assert reader.preprocessing(MODULES_OWN, INFO) == MODULES_OWN


def test_normalisation_other_than_the_modules_is_refused_all_at_once():
    reader = ImageClassificationReader(
        channel_order="BGR", images_mean=[0.5, 0.5, 0.5], images_std=[0.229, 0.224, 0.225]
    )

    with pytest.raises(ConfigError, match=r"(?s)channel_order is BGR.*images_mean") as raised:
        reader.preprocessing(MODULES_OWN, INFO)

    assert "images_std" not in str(raised.value)


def test_images_whose_label_a_crop_would_change_are_shown_whole():
    cropped = MODULES_OWN.replaced(resize="center_crop")
    sensitive = info(random_crop=False)

    def rule(reader, of_module, facts):
        return reader.preprocessing(of_module, facts).resize

    assert rule(ImageClassificationReader(), cropped, sensitive) == "letterbox"
    assert rule(ImageClassificationReader(), cropped, info()) == "center_crop"
    assert rule(ImageClassificationReader(), MODULES_OWN, sensitive) == "stretch"
    stated = ImageClassificationReader(resize="center_crop")
    assert rule(stated, cropped, sensitive) == "center_crop"


def test_the_generator_shows_such_images_whole_as_well():
    picture = np.zeros((1, 64, 64, 1), np.uint8)
    picture[:, 0] = 255
    split = Split(picture, [0])
    dataset = Dataset(info(random_crop=False), {"val": split})
    reader = ImageClassificationReader(64, 64, dataset)

    [batch] = reader.data_generator(phase="val")

    np.testing.assert_array_equal(batch[0][0, ..., 0], picture[0, ..., 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_width": 224}, "give both or neither"),
        ({"image_width": 0, "image_height": 5}, "width must be a positive"),
        ({"images_mean": [123.0, 117.0, 104.0]}, "images_mean must be three numbers on the 0–1"),
        ({"images_std": [0.2, 0.2]}, "images_std must be three numbers"),
        ({"channel_order": "GRB"}, "channel_order must be one of RGB, BGR"),
        ({"resize": "crop"}, "resize must be one of"),
        ({"data_augmentation": False, "augmentation": Augmentation()}, "contradicts"),
    ],
)
def test_wrong_wishes_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        ImageClassificationReader(**options)


def test_augmentation_is_on_as_far_as_labels_are_kept():
    reader = ImageClassificationReader()

    assert reader.augmentation(info()) == Augmentation()
    assert reader.augmentation(info(horizontal_flip=False)) == Augmentation(horizontal_flip=False)
    assert reader.augmentation(info(random_crop=False)) == Augmentation(min_area=1.0)
    assert reader.augmentation(info(horizontal_flip=False, random_crop=False)) is None


def test_crops_are_resampled_as_the_reader_says():
    reader = ImageClassificationReader(interpolation="bicubic")

    assert reader.augmentation(info()) == Augmentation(interpolation="bicubic")
    assert reader.augmentation(info(horizontal_flip=False)).interpolation == "bicubic"


def test_augmentation_is_off_where_the_user_says_so():
    assert ImageClassificationReader(data_augmentation=False).augmentation(info()) is None


def test_augmentation_asked_for_is_full_and_warns_where_it_changes_labels(caplog):
    reader = ImageClassificationReader(data_augmentation=True)

    assert reader.augmentation(info(horizontal_flip=False)) == Augmentation()
    assert "does not keep its labels" in caplog.text


def test_a_stated_augmentation_is_taken_as_it_is():
    gentle = Augmentation(min_area=0.9)

    found = ImageClassificationReader(augmentation=gentle).augmentation(info(random_crop=False))

    assert found == gentle


def test_training_batches_show_every_image_once_with_its_label(dataset, files, greys):
    reader = ImageClassificationReader(10, 8, dataset)

    batches = list(reader.data_generator(batch_size=4, phase="train"))

    assert [images.shape for images, _ in batches] == [(4, 8, 10, 3), (4, 8, 10, 3), (3, 8, 10, 3)]
    places = np.abs(greys_of(batches)[:, None] - greys).argmin(axis=1)
    assert sorted(places) == list(range(11))
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), files.labels[places])


def test_each_pass_over_training_images_has_its_order_and_a_new_reader_repeats_them(arrays):
    dataset = Dataset(INFO, {"train": arrays, "val": arrays})

    def two_passes():
        reader = ImageClassificationReader(10, 8, dataset, data_augmentation=False, random_seed=3)
        return [tuple(greys_of(reader.data_generator(11))) for _ in range(2)]

    passes = two_passes()

    assert passes[0] != passes[1]
    assert passes == two_passes()


def test_validation_batches_keep_the_order(dataset, arrays, greys):
    reader = ImageClassificationReader(10, 8, dataset)

    batches = list(reader.data_generator(batch_size=4, phase="dev"))

    assert np.array_equal(greys_of(batches), greys)
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), arrays.labels)


def test_validation_batches_are_shuffled_with_their_labels_on_demand(dataset, arrays, greys):
    reader = ImageClassificationReader(10, 8, dataset)

    batches = list(reader.data_generator(batch_size=4, phase="val", shuffle=True))

    places = np.abs(greys_of(batches)[:, None] - greys).argmin(axis=1)
    assert sorted(places) == list(range(11))
    assert list(places) != list(range(11))
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), arrays.labels[places])


def test_images_to_predict_come_alone(files, greys):
    reader = ImageClassificationReader(10, 8)

    batches = list(reader.data_generator(batch_size=4, phase="predict", data=files.images))

    assert [len(batch) for batch in batches] == [1, 1, 1]
    assert np.abs(greys_of(batches) - greys).max() <= 1


def test_batches_come_as_dictionaries_on_demand(dataset):
    reader = ImageClassificationReader(10, 8, dataset)

    batch = next(reader.data_generator(batch_size=4, phase="test", return_list=False))

    assert {name: values.shape for name, values in batch.items()} == {
        "image": (2, 8, 10, 3),
        "label": (2,),
    }


@pytest.mark.parametrize(
    ("reader", "options", "message"),
    [
        (ImageClassificationReader(10, 8), {}, "no data set"),
        (ImageClassificationReader(10, 8), {"phase": "predict"}, "needs data"),
        (ImageClassificationReader(10, 8), {"phase": "test", "data": ["a.jpg"]}, "data is for"),
        (ImageClassificationReader(), {"phase": "predict", "data": []}, "needs a size"),
    ],
)
def test_what_cannot_be_read_is_refused_at_once(reader, options, message):
    with pytest.raises(ConfigError, match=message):
        reader.data_generator(**options)
