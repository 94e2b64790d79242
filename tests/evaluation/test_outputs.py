import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hubcls.classification.rebuilding import as_float32
from hubcls.errors import ConfigError
from hubcls.inference.outputs import compute_outputs
from hubcls.pipeline.building import evaluation_batches
from hubcls.progress import progress

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def compute(dataset, preprocessing):
    """A function that gives the outputs of a model for 20 stripes."""

    def compute_with(model, batch_size=8, count=20):
        batches = evaluation_batches(dataset.split("test"), preprocessing, batch_size=batch_size)
        return compute_outputs(model, batches, count, title="judging stripes")

    return compute_with


def lines_of(drawn):
    """The lines of a bar's frames, without colours and movements of the cursor."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    return [line for line in plain.splitlines() if line.strip()]


def test_all_batches_share_one_trace(classifier, compute):
    untraced = as_float32(classifier)

    compute(untraced)

    assert untraced.predict_function.experimental_get_tracing_count() == 1


def test_many_images_give_the_outputs_of_the_model_with_its_present_weights(
    classifier, compute, dataset, monkeypatch
):
    monkeypatch.setattr("hubcls.inference.choosing._WORTH_COMPILING", 10)
    changing = as_float32(classifier)
    compute(changing)
    changing.get_layer("logits").bias.assign([1, -2, 3])

    logits = compute(changing)

    images = np.repeat(dataset.split("test").images[:20], 3, axis=3)
    np.testing.assert_allclose(logits, changing.predict(images, verbose=0), atol=1e-4)


def test_fewer_images_than_announced_are_an_error(classifier, compute):
    with pytest.raises(ConfigError, match="30 images were announced, but only 20 came"):
        compute(classifier, batch_size=10, count=30)


def test_the_bar_counts_images_without_the_padding(classifier, compute, capfd, monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    compute(classifier)

    last = lines_of(capfd.readouterr().err)[-1]
    assert last.startswith("judging stripes")
    assert "20/20 images" in last


def test_one_batch_alone_passes_silently(classifier, compute, capfd, caplog, monkeypatch):
    caplog.set_level("INFO", logger="hubcls")
    compute(classifier, batch_size=20)
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    compute(classifier, batch_size=20)

    assert caplog.text == ""
    assert capfd.readouterr().err == ""


def test_a_job_inside_another_has_its_bar_below(classifier, compute, capfd, monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "1")

    with progress(2, "outer", unit="rounds") as advance:
        compute(classifier)
        advance(2)

    lines = lines_of(capfd.readouterr().err)
    first = next(place for place, line in enumerate(lines) if "judging stripes" in line)
    assert "outer" in lines[first - 1]
    assert "2/2 rounds" in lines[-1]


def test_a_job_inside_another_adds_nothing_to_the_log(classifier, compute, caplog, monkeypatch):
    monkeypatch.setenv("HUBCLS_PROGRESS", "0")
    caplog.set_level("INFO", logger="hubcls")

    with progress(2, "outer", unit="rounds"):
        compute(classifier)
    compute(classifier)

    assert [message.partition(" (")[0] for message in caplog.messages[::2]] == [
        "outer",
        "judging stripes",
    ]


def test_a_run_shows_its_steps_and_its_passes_over_the_images(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TINY_RUN, tmp_path],
        cwd=REPOSITORY,
        env={
            **os.environ, "HUBCLS_PROGRESS": "1", "TERM": "xterm", "COLUMNS": "120",
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}",
            "HUBCLS_HOME": str(tmp_path / "home"),  # where no features are kept yet
        },
        capture_output=True,
        text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    for text in (
        "fine-tuning", "6/6 step", "linear probe: features of train",
        "linear probe: features of val", "evaluating val", "evaluating test", "predicting",
    ):  # fmt: skip
        assert any(text in line for line in lines_of(done.stderr)), text


TINY_RUN = """
import sys
from conftest import striped_dataset, striped_task

data = striped_dataset(val=40)
task = striped_task(sys.argv[1], data=data)
task.finetune_and_eval()
task.predict(data.split("test").images)
"""


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
from hubcls.classification.problem import SingleLabel
from hubcls.inference.outputs import batch_size_for, compute_outputs
from hubcls.evaluation.predicting import predict
from hubcls.inference import Inference
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
        compute_outputs(
            model,
            evaluation_batches(
                split.subset(range(count)),
                Preprocessing(16, 16),
                batch_size=batch_size_for(model, batch_size),
            ),
            count,
            title="testing",
        )
        for model in (single, mirrored)
    ]
    np.testing.assert_allclose(*logits, rtol=0, atol=1e-4)
    named = [
        predict(
            Inference(model), list(images[:count]), preprocessing=Preprocessing(16, 16),
            problem=SingleLabel(("a", "b", "c")), batch_size=batch_size,
        )
        for model in (single, mirrored)
    ]
    assert len(named[0]) == count
    np.testing.assert_allclose(*[[p.probability for p in ps] for ps in named], atol=1e-5)
"""
