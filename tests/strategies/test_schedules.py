"""Every schedule against its formula, step by step, in plain Python."""

import math

import numpy as np
import pytest

from hubcls.errors import ConfigError
from hubcls.strategies.schedules import NoamDecay, SlantedTriangle, WarmupCosine, WarmupLinearDecay

PEAK = 0.01


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in range(steps)])


@pytest.mark.parametrize(("total", "cut_fraction"), [(100, 0.1), (20, 0.25), (10, 0.5)])
def test_slanted_triangle_is_equation_3_of_howard_and_ruder(total, cut_fraction):
    ratio = 32
    cut = math.floor(total * cut_fraction)

    def formula(t):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_fraction - 1))
        return PEAK * (1 + p * (ratio - 1)) / ratio

    schedule = SlantedTriangle(PEAK, total, cut_fraction=cut_fraction, ratio=ratio)

    np.testing.assert_allclose(
        rates(schedule, total), [formula(t) for t in range(total)], rtol=1e-5
    )


def test_slanted_triangle_ends_with_the_run_where_the_cut_is_no_whole_number():
    total, cut = 19, 1
    expected = [1 / 4] + [(1 + 3 * (1 - (t - cut) / (total - cut))) / 4 for t in range(1, total)]

    schedule = SlantedTriangle(1.0, total, cut_fraction=0.1, ratio=4)

    np.testing.assert_allclose(rates(schedule, total), expected, rtol=1e-6)
    assert float(schedule(total)) == pytest.approx(1 / 4)


@pytest.mark.parametrize("cut_fraction", [0.0, 0.01])
def test_a_triangle_without_a_rise_falls_from_the_peak(cut_fraction):
    schedule = SlantedTriangle(PEAK, 50, cut_fraction=cut_fraction, ratio=32)

    np.testing.assert_allclose(
        rates(schedule, 50), [PEAK * (1 + (1 - t / 50) * 31) / 32 for t in range(50)], rtol=1e-5
    )


def test_linear_decay_is_counted_after_the_warm_up():
    def formula(t):
        return PEAK * (t + 1) / 11 if t < 10 else PEAK * (1 - (t - 10) / 90)

    schedule = WarmupLinearDecay(PEAK, 100, warmup=0.1)

    np.testing.assert_allclose(rates(schedule, 100), [formula(t) for t in range(100)], rtol=1e-5)


def test_linear_decay_does_not_jump_when_the_warm_up_ends():
    steps = np.diff(rates(WarmupLinearDecay(PEAK, 100, warmup=0.1), 100))

    assert np.abs(steps).max() <= PEAK / 10


def test_linear_decay_waits_for_its_start_and_ends_where_it_is_told():
    def formula(t):
        if t < 20:
            return (t + 1) / 21
        return 1.0 if t < 50 else 1 - (t - 50) / 50 * 0.8

    schedule = WarmupLinearDecay(1.0, 100, warmup=0.2, start_point=0.5, end_learning_rate=0.2)

    np.testing.assert_allclose(rates(schedule, 100), [formula(t) for t in range(100)], rtol=1e-5)
    assert float(schedule(100)) == pytest.approx(0.2)
    assert float(schedule(500)) == pytest.approx(0.2)


def test_a_fall_that_would_start_in_the_warm_up_starts_after_it():
    early = WarmupLinearDecay(1.0, 100, warmup=0.2, start_point=0.1)
    after = WarmupLinearDecay(1.0, 100, warmup=0.2, start_point=0.2)

    np.testing.assert_array_equal(rates(early, 100), rates(after, 100))


def test_start_point_1_never_falls():
    schedule = WarmupLinearDecay(1.0, 10, warmup=0.2, start_point=1.0)

    np.testing.assert_allclose(rates(schedule, 12), [1 / 3, 2 / 3] + [1.0] * 10, rtol=1e-6)


def test_cosine_after_a_warm_up():
    def formula(t):
        if t < 10:
            return PEAK * (t + 1) / 11
        return 0.001 + (PEAK - 0.001) * (1 + math.cos(math.pi * (t - 10) / 90)) / 2

    schedule = WarmupCosine(PEAK, 100, warmup=0.1, end_learning_rate=0.001)

    np.testing.assert_allclose(rates(schedule, 100), [formula(t) for t in range(100)], rtol=1e-5)
    assert float(schedule(150)) == pytest.approx(0.001)


def test_noam_is_equation_3_of_vaswani_scaled_to_its_peak():
    warmup = 16

    def formula(n):
        width = 1 / (warmup * PEAK**2)
        return width**-0.5 * min(n**-0.5, n * warmup**-1.5)

    schedule = NoamDecay(PEAK, warmup)

    np.testing.assert_allclose(rates(schedule, 64), [formula(n) for n in range(1, 65)], rtol=1e-5)
    assert float(schedule(warmup - 1)) == pytest.approx(PEAK)


@pytest.mark.parametrize(
    "schedule",
    [
        SlantedTriangle(PEAK, 1),
        WarmupLinearDecay(PEAK, 1),
        WarmupCosine(PEAK, 1),
        NoamDecay(PEAK, 1),
    ],
)
def test_a_run_of_one_step_has_the_full_rate(schedule):
    assert float(schedule(0)) == pytest.approx(PEAK)


@pytest.mark.parametrize(
    "schedule",
    [
        SlantedTriangle(PEAK, 10, ratio=8),
        WarmupLinearDecay(PEAK, 10, start_point=0.3),
        WarmupCosine(PEAK, 10, warmup=0.3),
        NoamDecay(PEAK, 3),
    ],
)
def test_a_schedule_is_rebuilt_from_its_config(schedule):
    copy = type(schedule).from_config(schedule.get_config())

    np.testing.assert_array_equal(rates(copy, 10), rates(schedule, 10))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SlantedTriangle(0.0, 10), "learning_rate"),
        (lambda: SlantedTriangle(PEAK, 10, cut_fraction=1.0), "cut_fraction"),
        (lambda: SlantedTriangle(PEAK, 10, ratio=0.5), "ratio"),
        (lambda: WarmupLinearDecay(PEAK, 10, start_point=1.5), "start_point"),
        (lambda: WarmupLinearDecay(PEAK, 0, warmup=-0.1), "warmup(.|\n)*one step"),
        (lambda: WarmupCosine(PEAK, 10, end_learning_rate=-1.0), "end_learning_rate"),
        (lambda: NoamDecay(PEAK, 0), "one step"),
    ],
)
def test_values_out_of_range_are_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
