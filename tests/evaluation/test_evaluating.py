import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from hubcls.classification.problem import SingleLabel
from hubcls.classification.rebuilding import as_float32
from hubcls.errors import ConfigError, TrainingError, UnknownNameError
from hubcls.evaluation.evaluating import evaluate, predict_logits
from hubcls.pipeline.building import evaluation_batches

REPOSITORY = Path(__file__).resolve().parents[2]
CLASSES = SingleLabel(("across", "down", "diagonal"))


@pytest.fixture
def run(classifier, dataset, preprocessing):
    """A function that evaluates the test split of 20 stripes; arguments replace its own."""

    def run_with(model=classifier, split=None, **changes):
        arguments = {"problem": CLASSES, "preprocessing": preprocessing, "batch_size": 8}
        chosen = dataset.split("test") if split is None else split
        return evaluate(model, chosen, **{**arguments, **changes})

    return run_with


def direct_logits(classifier, split):
    return np.asarray(classifier(np.repeat(split.images, 3, axis=3).astype(np.float32)))


def test_the_last_partial_batch_counts(run, classifier, dataset):
    split = dataset.split("test")
    logits = direct_logits(classifier, split)

    evaluation = run(batch_size=8, phase="test")

    assert len(split) % 8 != 0
    assert evaluation.num_examples == evaluation.confusion.sum() == len(split)
    assert evaluation.scores["accuracy"] == (logits.argmax(axis=1) == split.labels).mean()
    assert evaluation.loss == pytest.approx(CLASSES.cross_entropy(logits, split.labels), abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_batch_size_does_not_change_the_result(run, batch_size):
    evaluation = run(batch_size=batch_size)

    assert evaluation.loss == pytest.approx(run(batch_size=8).loss, abs=1e-5)
    np.testing.assert_array_equal(evaluation.confusion, run(batch_size=8).confusion)


def test_scores_stand_in_the_order_asked_for(run):
    evaluation = run(metrics=("f1", "accuracy"))

    assert list(evaluation.scores) == ["f1", "accuracy"]


def test_the_table_names_every_class_with_its_support(run, dataset):
    table = run().per_class

    supports = np.bincount(dataset.split("test").labels).tolist()
    assert [row["class_name"] for row in table] == list(CLASSES.class_names)
    assert [row["num_examples"] for row in table] == supports


def test_speed_is_examples_over_seconds(run):
    evaluation = run()

    assert evaluation.seconds > 0
    assert evaluation.images_per_second == evaluation.num_examples / evaluation.seconds


def test_an_evaluation_is_made_of_plain_json_types(run):
    values = run(phase="test").as_dict()

    assert values["phase"] == "test"
    assert isinstance(values["confusion"][0][0], int)


def test_callbacks_see_every_batch(run):
    seen = []
    callback = keras.callbacks.LambdaCallback()
    callback.on_predict_batch_end = lambda batch, logs: seen.append(batch)

    run(batch_size=8, callbacks=[callback])

    assert seen == [0, 1, 2]


def test_all_batches_share_one_trace(classifier, dataset, preprocessing):
    split, untraced = dataset.split("test"), as_float32(classifier)

    predict_logits(untraced, evaluation_batches(split, preprocessing, batch_size=8), len(split))

    assert untraced.predict_function.experimental_get_tracing_count() == 1


def test_another_number_of_classes_is_an_error(run):
    with pytest.raises(ConfigError, match="tells 3 classes apart, but the problem has 2"):
        run(problem=SingleLabel(("across", "down")))


def test_an_unknown_metric_is_an_error_before_anything_is_computed(run):
    with pytest.raises(UnknownNameError, match="acuracy"):
        run(metrics=["acuracy"], model=None)


def test_logits_that_are_not_finite_are_an_error(run, classifier):
    diverged = as_float32(classifier)
    diverged.get_layer("logits").bias.assign([np.nan, 0, 0])

    with pytest.raises(TrainingError, match="NaN or infinite"):
        run(diverged)


def test_a_split_without_images_is_an_error(run, dataset):
    with pytest.raises(ConfigError, match="has no examples"):
        run(split=dataset.split("test").subset([]))


def test_fewer_images_than_announced_are_an_error(classifier, dataset, preprocessing):
    batches = evaluation_batches(dataset.split("test"), preprocessing, batch_size=10)

    with pytest.raises(ConfigError, match="30 images were announced, but only 20 came"):
        predict_logits(classifier, batches, 30)


@pytest.mark.slow
def test_two_replicas_give_the_logits_of_one_device():
    done = subprocess.run(
        [sys.executable, "-c", TWO_REPLICAS], cwd=REPOSITORY, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr[-2000:]


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from hubcls.classification.rebuilding import rebuilt
from hubcls.datasets.base import Split
from hubcls.evaluation.evaluating import batch_size_for, predict_logits
from hubcls.pipeline.building import evaluation_batches
from hubcls.preprocessing import Preprocessing

images = np.random.default_rng(0).integers(0, 256, (21, 16, 16, 3), dtype=np.uint8)
image = keras.Input((16, 16, 3))
x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
single = keras.Model(image, keras.layers.Dense(3, name="logits")(x))
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    mirrored = rebuilt(single, "float32")
split = Split(images, np.zeros(21, int))
assert strategy.num_replicas_in_sync == 2
for count, batch_size in ((21, 10), (21, 7), (1, 1)):
    logits = [
        predict_logits(
            model,
            evaluation_batches(
                split.subset(range(count)),
                Preprocessing(16, 16),
                batch_size=batch_size_for(model, batch_size),
            ),
            count,
        )
        for model in (single, mirrored)
    ]
    np.testing.assert_allclose(*logits, rtol=0, atol=1e-4)
"""
