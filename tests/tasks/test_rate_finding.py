"""The learning-rate range test."""

import numpy as np
import pytest
from PIL import Image

from hubcls.errors import ConfigError, TrainingError
from hubcls.strategies import ScheduledStrategy
from hubcls.tasks import find_learning_rate, write_rate_figure
from hubcls.training import rate_test


@pytest.fixture
def task(make_task):
    return make_task(strategy=ScheduledStrategy(0.1, "sgd", "constant"), batch_size=16)


def test_the_suggestion_is_a_tenth_of_the_best_rate(task):
    found = find_learning_rate(task, lowest=1e-4, highest=10.0, num_steps=60)

    assert found.rates[0] == pytest.approx(1e-4)
    assert len(found.rates) == len(found.losses) == len(found.smoothed) <= 60
    assert found.rates[1:] == pytest.approx(found.rates[:-1] * 1e5 ** (1 / 59))
    assert found.suggestion == pytest.approx(found.rates[found.smoothed.argmin()] / 10)
    assert 1e-3 < found.suggestion < 1
    assert found.smoothed.min() < 0.95 * found.smoothed[0]


def test_the_task_stays_as_it_was(task):
    before = [np.array(weight) for weight in task.classifier.weights]

    find_learning_rate(task, lowest=1e-3, highest=10.0, num_steps=30)

    for old, new in zip(before, task.classifier.weights, strict=True):
        np.testing.assert_array_equal(old, np.array(new))
    assert not task.config.folder.exists()


def test_the_figure_is_a_picture(task, tmp_path):
    found = find_learning_rate(task, lowest=1e-3, highest=10.0, num_steps=30)

    write_rate_figure(tmp_path / "rates.png", found)

    assert Image.open(tmp_path / "rates.png").size == (720, 480)


def test_a_loss_that_never_falls_is_an_error(task):
    with pytest.raises(TrainingError, match="did not fall"):
        find_learning_rate(task, lowest=1e6, highest=1e9, num_steps=20)


@pytest.mark.parametrize("wrong", [{"lowest": 0}, {"highest": 1e-9}, {"num_steps": 3}])
def test_numbers_that_make_no_test_are_refused(task, wrong):
    with pytest.raises(ConfigError, match="rate test wants"):
        find_learning_rate(task, **wrong)


def test_the_running_mean_is_corrected_for_its_start():
    assert rate_test._smoothed(np.full(5, 2.0)) == pytest.approx([2.0] * 5)
