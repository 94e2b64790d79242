import math

import pytest

from hubcls.training.run_state import RunState


@pytest.mark.parametrize(
    ("metrics", "results"),
    [({"loss": 0.5, "acc": 0.75, "f1": 0.7}, [0.75, 0.7, 0.5]), ({}, [])],
)
def test_paddlehubs_list_of_results_ends_with_the_loss(metrics, results):
    state = RunState(5, 10, 0, metrics, run_examples=40, run_time_used=2.0)

    assert state.run_results == results


def test_speed_is_examples_over_seconds():
    assert RunState(5, 10, 0, {}, run_examples=40, run_time_used=2.0).run_speed == 20
    assert math.isnan(RunState(0, 10, 0, {}, run_examples=0, run_time_used=0.0).run_speed)
