import io
import time

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hubcls.errors import ConfigError
from hubcls.evaluation.visualization import Visualization


def read(folder):
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


def test_tensorboard_reads_every_point_of_a_curve(tmp_path):
    with Visualization(tmp_path) as visualization:
        for step in range(3):
            visualization.scalar("train/loss", 1 / (step + 1), step)
            visualization.scalar("train/learning_rate", 1e-3, step)

    events = read(tmp_path)
    points = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/learning_rate"}
    assert points == [(0, 1.0), (1, 0.5), (2, pytest.approx(1 / 3))]


def test_flushed_points_can_be_read_while_the_run_goes_on(tmp_path):
    visualization = Visualization(tmp_path)
    visualization.scalar("val/accuracy", 0.5, 7)

    visualization.flush()

    assert [event.step for event in read(tmp_path).Scalars("val/accuracy")] == [7]
    visualization.close()


def test_a_resumed_run_overwrites_what_the_killed_one_wrote_beyond_its_checkpoint(tmp_path):
    with Visualization(tmp_path) as killed:
        for step in (1, 2, 3, 4):
            killed.scalar("train/loss", 10.0 + step, step)
    # TensorBoard reads files by name, which begins with the second; behind it stands a
    # process's count of files, as text: 10 before 9.
    time.sleep(1.1)

    with Visualization(tmp_path, resumed_step=2) as resumed:
        for step in (3, 4, 5):
            resumed.scalar("train/loss", 20.0 + step, step)

    points = {event.step: event.value for event in read(tmp_path).Scalars("train/loss")}
    assert points == {1: 11.0, 2: 12.0, 3: 23.0, 4: 24.0, 5: 25.0}


def test_sample_images_are_one_picture_with_captions(tmp_path):
    images = np.full((3, 16, 16, 3), 200, np.uint8)

    with Visualization(tmp_path) as visualization:
        visualization.images("train/samples", images, ["a", "b", "c"], step=0)

    (event,) = read(tmp_path).Images("train/samples")
    picture = Image.open(io.BytesIO(event.encoded_image_string))
    assert picture.size == (event.width, event.height)


def test_more_images_than_fit_are_cut_to_the_first_ones(tmp_path):
    images = np.zeros((200, 4, 4, 3), np.uint8)

    with Visualization(tmp_path) as visualization:
        visualization.images("val/samples", images, ["a"] * 200, step=0)

    (event,) = read(tmp_path).Images("val/samples")
    assert event.height < 1500


@pytest.mark.parametrize(("count", "labels"), [(2, ["a"]), (0, [])])
def test_images_without_their_labels_are_refused(tmp_path, count, labels):
    images = np.zeros((count, 4, 4, 3), np.uint8)

    with Visualization(tmp_path) as visualization, pytest.raises(ConfigError, match="as many"):
        visualization.images("samples", images, labels, step=0)


def test_the_confusion_matrix_is_a_picture(tmp_path, make_evaluation):
    evaluation = make_evaluation()

    with Visualization(tmp_path) as visualization:
        visualization.confusion_matrix(evaluation.confusion, ["a", "b", "c"], step=4)

    (event,) = read(tmp_path).Images("val/confusion_matrix")
    assert event.step == 4
    assert event.width > 300


def test_a_text_is_shown_as_text(tmp_path):
    with Visualization(tmp_path) as visualization:
        visualization.text("config", "| key | value |\n|---|---|\n| seed | 0 |")

    events = read(tmp_path)
    (event,) = events.Tensors("config")
    assert events.SummaryMetadata("config").plugin_data.plugin_name == "text"
    assert b"| seed | 0 |" in event.tensor_proto.string_val[0]
