import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hubcls.datasets.base import Split
from hubcls.errors import ConfigError, DataError, UnreadableImagesError
from hubcls.images.augmenting import Augmentation, draws, operated
from hubcls.images.decoding import read_with_pillow
from hubcls.images.operations import OPERATIONS, ColorJitter, Mixup
from hubcls.images.resizing import resize
from hubcls.pipeline.building import TrainingStream, evaluation_batches, image_batches
from hubcls.preprocessing import Preprocessing
from hubcls.seeding import derived_seed

SMALL = Preprocessing(8, 10)


def stream_of(split, **changes):
    options = {
        "num_classes": 3,
        "preprocessing": SMALL,
        "batch_size": 4,
        "augmentation": Augmentation(),
        "seed": 0,
    }
    return TrainingStream(split, **{**options, **changes})


def collected(dataset):
    images, targets = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.stack(images), np.stack(targets)


def greys_of(images):
    """The grey of each image of one colour, whatever was cropped."""
    return images[..., 4, 4, 0].ravel()


@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_batches_are_uint8_images_and_float_targets_of_full_size(request, kind):
    stream = stream_of(request.getfixturevalue(kind))

    images, targets = stream.batches(0, 1).element_spec

    assert (images.shape, images.dtype) == ((4, 8, 10, 3), tf.uint8)
    assert (targets.shape, targets.dtype) == ((4, 3), tf.float32)


def test_a_stream_cut_in_two_gives_the_same_bits(noise):
    stream = stream_of(noise)

    images, targets = collected(stream.batches(0, 10))

    first, second = collected(stream.batches(0, 4)), collected(stream.batches(4, 6))
    assert np.array_equal(images, np.concatenate([first[0], second[0]]))
    assert np.array_equal(targets, np.concatenate([first[1], second[1]]))


def test_a_stream_made_again_gives_the_same_bits(noise):
    first, again = (collected(stream_of(noise).batches(3, 4)) for _ in range(2))

    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_parallel_batches_hold_what_single_examples_computed_in_turn_do(noise):
    stream = stream_of(noise)

    images, targets = collected(stream.batches(1, 2))

    for step, batch in enumerate(images, start=1):
        index, drawn = stream._drawn(tf.constant(step, tf.int64))
        in_turn = [stream._image(place, row) for place, row in zip(index, drawn, strict=True)]
        assert np.array_equal(batch, in_turn)
        assert np.array_equal(targets[step - 1].argmax(axis=1), noise.labels[index])


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_a_stream_exact_wherever_it_is_cut(noise, name):
    augmentation = Augmentation(operations=(name,))

    images, targets = collected(stream_of(noise, augmentation=augmentation).batches(0, 6))

    resumed = collected(stream_of(noise, augmentation=augmentation).batches(4, 2))
    others = collected(stream_of(noise, augmentation=augmentation, seed=1).batches(4, 2))
    assert (images.dtype, targets.dtype) == (np.uint8, np.float32)
    assert np.array_equal(images[4:], resumed[0])
    assert np.array_equal(targets[4:], resumed[1])
    assert not np.array_equal(resumed[0], others[0])


def test_operations_act_on_what_was_cropped_and_on_targets(noise):
    crops = Augmentation()
    mixing = Augmentation(operations=(Mixup(alpha=1.0),))

    images, targets = collected(stream_of(noise, augmentation=mixing).batches(0, 3))

    plain, labels = collected(stream_of(noise, augmentation=crops).batches(0, 3))
    for batch in range(3):
        seeds = [[derived_seed(0, "operations"), 4 * batch + row] for row in range(4)]
        expected = operated(
            mixing.operations, tf.constant(plain[batch]), labels[batch], tf.constant(seeds)
        )
        assert np.array_equal(images[batch], expected[0])
        assert np.array_equal(targets[batch], expected[1])
    assert np.any((targets > 0) & (targets < 1))


def test_the_same_image_is_changed_otherwise_at_each_of_its_places(noise):
    flat = Augmentation(horizontal_flip=False, min_area=1.0, operations=(ColorJitter(),))
    single = stream_of(Split(noise.images[:1], noise.labels[:1]), augmentation=flat, batch_size=3)

    images, _ = collected(single.batches(0, 2))

    assert len({image.tobytes() for image in images.reshape(6, -1)}) == 6


@pytest.mark.parametrize(("batch_size", "repeats"), [(8, 2), (8, 3), (9, 3), (4, 4)])
def test_repeated_images_stand_in_their_batch_under_different_changes(noise, batch_size, repeats):
    stream = stream_of(noise, augmentation=Augmentation(repeats=repeats), batch_size=batch_size)
    shown = stream_of(noise, augmentation=None, batch_size=1)

    images, _ = collected(stream.batches(0, stream.steps_per_epoch))

    assert len(images) == -(-len(noise) // batch_size)
    distinct = -(-batch_size // repeats)
    order = [
        int(shown._shuffled(tf.constant(place, tf.int64), tf.constant(0, tf.int64)))
        for place in range(len(noise))
    ]
    for step, batch in enumerate(images):
        own = np.resize(np.roll(order, -step * distinct)[:distinct], batch_size)
        for row, index in enumerate(own):
            seed = [derived_seed(0, "augmentation"), index + row // distinct * len(noise)]
            expected = stream._source.load_augmented(
                tf.constant(index), stream.augmentation, draws(tf.constant([seed], tf.int64))[0]
            )
            assert np.array_equal(batch[row], expected)
    assert (
        len({image.tobytes() for batch in images for image in batch})
        == images.shape[0] * batch_size
    )


@pytest.mark.parametrize("operations", [(), ("mixup",)])
def test_repeated_images_are_the_same_wherever_a_stream_is_cut(noise, operations):
    augmentation = Augmentation(operations=operations, repeats=3)

    images, targets = collected(stream_of(noise, augmentation=augmentation).batches(0, 6))

    resumed = collected(stream_of(noise, augmentation=augmentation).batches(4, 2))
    assert np.array_equal(images[4:], resumed[0])
    assert np.array_equal(targets[4:], resumed[1])


def test_every_image_has_its_turn_though_epochs_show_a_part(noise):
    stream = stream_of(noise, augmentation=Augmentation(repeats=4), batch_size=4)
    epochs = 40

    _, targets = collected(stream.batches(0, epochs * stream.steps_per_epoch))

    assert np.all(targets == targets[:, :1])  # each batch shows one image four times
    assert np.all(targets[:, 0].sum(axis=0) > 0)


def test_more_repeats_than_a_batch_has_room_for_are_refused(noise):
    with pytest.raises(ConfigError, match="cannot stand 5 times in a batch of 4"):
        stream_of(noise, augmentation=Augmentation(repeats=5))


def test_another_seed_gives_other_orders_and_other_crops(noise):
    in_file_order = Split(noise.images[:1], noise.labels[:1])
    orders = [collected(stream_of(noise, seed=seed).batches(0, 4))[1] for seed in (0, 1)]
    crops = [collected(stream_of(in_file_order, seed=seed).batches(0, 1))[0] for seed in (0, 1)]

    assert not np.array_equal(*orders)
    assert not np.array_equal(*crops)


@pytest.mark.parametrize("kind", ["files", "arrays"])
@pytest.mark.parametrize("batch_size", [4, 11, 16])
def test_every_epoch_shows_every_image_once_and_fills_up_from_its_beginning(
    request, greys, kind, batch_size
):
    stream = stream_of(request.getfixturevalue(kind), batch_size=batch_size)

    images, _ = collected(stream.batches(0, 2 * stream.steps_per_epoch))

    for shown in np.split(greys_of(images.reshape(-1, 8, 10, 3)), 2):
        assert np.abs(np.sort(shown[:11]) - greys).max() <= 1
        assert np.array_equal(shown[11:], np.resize(shown[:11], len(shown))[11:])


def test_epochs_have_orders_of_their_own(arrays):
    stream = stream_of(arrays, augmentation=None)

    orders = [greys_of(collected(stream.batches(3 * epoch, 3))[0]) for epoch in (0, 1, 256)]

    assert len({tuple(order) for order in orders}) == 3


def test_orders_are_as_random_as_permutations():
    # Of this seed TensorFlow's own index_shuffle makes an order that is nearly sorted.
    by_class = Split(np.zeros((1200, 1, 1, 1), np.uint8), np.repeat(np.arange(10), 120))
    stream = stream_of(
        by_class,
        num_classes=10,
        preprocessing=Preprocessing(1, 1),
        batch_size=30,
        augmentation=None,
        seed=189,
    )

    _, targets = collected(stream.batches(0, 2 * 40))

    per_class = targets.sum(axis=1).reshape(2, 40, 10)
    of_permutations = 30 * 0.1 * 0.9 * (1200 - 30) / (1200 - 1)
    assert (per_class.var(axis=(1, 2)) / of_permutations).max() < 1.4


def test_the_same_image_looks_otherwise_in_another_epoch(noise):
    single = stream_of(Split(noise.images[:1], noise.labels[:1]), batch_size=1)

    images, _ = collected(single.batches(0, 6))

    assert len({image.tobytes() for image in images}) == 6


def test_targets_follow_their_images(files, greys):
    images, targets = collected(stream_of(files).batches(0, 6))

    places = np.abs(greys_of(images)[:, None] - greys).argmin(axis=1)
    assert np.array_equal(targets.reshape(-1, 3).argmax(axis=1), files.labels[places])
    assert np.all(targets.sum(axis=-1) == 1)


def test_files_and_the_same_pictures_in_memory_give_the_same_batches(noise, tmp_path):
    paths = [str(tmp_path / f"{place}.png") for place in range(len(noise))]
    for path, image in zip(paths, noise.images, strict=True):
        Image.fromarray(image).save(path)
    from_files = stream_of(Split(tuple(paths), noise.labels))

    found, expected = (collected(stream.batches(0, 4)) for stream in (from_files, stream_of(noise)))

    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])


def test_without_augmentation_training_shows_images_as_evaluation_does(noise):
    stream = stream_of(noise, augmentation=None, batch_size=7)

    images, _ = collected(stream.batches(0, 1))

    evaluated = next(evaluation_batches(noise, SMALL, batch_size=7).as_numpy_iterator())
    assert {image.tobytes() for image in images[0]} == {image.tobytes() for image in evaluated}


def test_cardinality_is_known(files):
    stream = stream_of(files)

    assert stream.steps_per_epoch == 3
    assert stream.batches(2, 5).cardinality() == 5
    assert evaluation_batches(files, SMALL, batch_size=4).cardinality() == 3
    assert image_batches(files.images, SMALL, 4)[0].cardinality() == 3


def test_plain_files_bring_no_python_function_into_the_graph(files):
    plain = files.subset(np.flatnonzero(~files.needs_pillow))

    for dataset in (stream_of(plain).batches(0, 1), evaluation_batches(plain, SMALL, batch_size=1)):
        assert b"PyFunc" not in dataset._as_serialized_graph().numpy()


def test_memory_is_bounded_and_changes_no_batch(files):
    tight, usual = (stream_of(files, memory_limit_mb=limit).batches(0, 3) for limit in (1, 1024))

    assert tight.options().autotune.ram_budget == 2**20
    for found, expected in zip(collected(tight), collected(usual), strict=True):
        assert np.array_equal(found, expected)


def test_evaluation_reads_a_fixed_number_of_batches_ahead(files):
    batches = evaluation_batches(files, SMALL, batch_size=4)

    assert batches.options().autotune.enabled is False
    assert batches._buffer_size.numpy() == 2


def test_a_stream_of_no_images_or_wrong_labels_is_refused(arrays):
    with pytest.raises(DataError, match="no training images"):
        stream_of(arrays.subset([]))
    with pytest.raises(DataError, match=r"labels must be 0 … 1, not 0 … 2"):
        stream_of(arrays, num_classes=2)


def test_impossible_sizes_are_refused(arrays):
    with pytest.raises(ConfigError, match="batch_size must be 1 or more, not 0"):
        stream_of(arrays, batch_size=0)
    with pytest.raises(ConfigError, match="batch_size"):
        evaluation_batches(arrays, SMALL, batch_size=0)
    with pytest.raises(ConfigError, match="start_step"):
        stream_of(arrays).batches(-1, 1)


@pytest.mark.parametrize("kind", ["files", "arrays"])
@pytest.mark.parametrize("batch_size", [4, 11, 32])
def test_evaluation_keeps_the_order_and_fills_up_with_the_last_image(
    request, greys, kind, batch_size
):
    split = request.getfixturevalue(kind)

    batches = list(evaluation_batches(split, SMALL, batch_size=batch_size).as_numpy_iterator())

    assert {batch.shape for batch in batches} == {(batch_size, 8, 10, 3)}
    shown = greys_of(np.concatenate(batches))
    expected = np.pad(greys, (0, len(shown) - len(greys)), mode="edge")
    assert np.abs(shown - expected).max() <= 1


def test_images_of_any_kind_are_batched_in_the_order_given(files, greys):
    images = list(files.images)
    images[1] = np.full((7, 9), greys[1], np.uint8)
    images[4] = Image.new("L", (5, 6), int(greys[4]))
    images[10] = np.full((30, 30, 3), greys[10], np.float32)

    batches, count = image_batches(images, SMALL, 4)

    assert count == 11
    shown = greys_of(np.concatenate(list(batches.as_numpy_iterator())))
    assert np.abs(shown - [*greys, greys[10]]).max() <= 1


def test_images_in_memory_are_resized_as_their_files(files):
    image = read_with_pillow(files.images[0])

    batches, _ = image_batches([image], SMALL, 1)

    assert np.array_equal(next(iter(batches))[0], resize(tf.constant(image), SMALL))


def test_images_given_as_paths_need_not_be_strings(tmp_path):
    Image.new("RGB", (9, 9), (50, 60, 70)).save(tmp_path / "a.png")

    batches, _ = image_batches([tmp_path / "a.png"], SMALL, 1)

    assert next(iter(batches))[0, 0, 0].numpy().tolist() == [50, 60, 70]


def test_no_images_give_no_batches():
    batches, count = image_batches([], SMALL, 4)

    assert (count, len(list(batches))) == (0, 0)


def test_all_unreadable_images_are_listed_before_anything_is_predicted(files, tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    images = [
        str(tmp_path / "text.jpg"),
        files.images[0],
        tmp_path / "none.png",
        np.zeros((2, 2, 7)),
    ]

    with pytest.raises(UnreadableImagesError) as raised:
        image_batches(images, SMALL, 4)

    names, reasons = zip(*raised.value.failures, strict=True)
    assert names == (str(images[0]), str(images[2]), "image number 3 (in memory)")
    assert ["format" in reasons[0], "No such file" in reasons[1], "shape" in reasons[2]] == [
        True
    ] * 3


def test_a_stream_is_a_value_that_can_be_changed(arrays):
    stream = stream_of(arrays)
    next(iter(stream.batches(0, 1)))

    larger = dataclasses.replace(stream, batch_size=5)

    assert larger.steps_per_epoch == 3
    assert larger.batches(0, 1).element_spec[0].shape[0] == 5
