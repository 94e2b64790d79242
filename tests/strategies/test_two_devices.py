"""The same global batch gives the same weights on one device and on two."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What its tests share is made once, by one worker.
pytestmark = pytest.mark.xdist_group("two_devices")

SCRIPT = Path(__file__).with_name("two_devices.py")
REPOSITORY = SCRIPT.parents[2]


@pytest.fixture(scope="module")
def report():
    result = subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "case",
    [
        "accumulation",
        "clip by global norm",
        "clip by norm",
        "L2 and L2-SP",
        "weight decay and multipliers",
        "unfreezing and averages",
    ],
)
def test_two_devices_end_with_the_weights_of_one(report, case):
    assert report["apart"][case] < 1e-5


def test_two_accumulated_batches_make_the_update_of_one_twice_as_big(report):
    assert report["halves and wholes"] < 1e-5


@pytest.mark.parametrize("case", ["float16", "float16, accumulated"])
def test_float16_with_loss_scaling_ends_within_its_rounding(report, case):
    assert report["apart"][case] < 5e-3


def test_the_data_can_tell_clipping_by_replica_from_clipping_the_whole(report):
    assert report["apart"]["Keras' own clip"] > 1e-3


@pytest.mark.parametrize("replica", [0, 1])
def test_an_overflow_on_any_replica_skips_the_step_and_halves_the_scale(report, replica):
    weight, scale = report["overflow"][replica]

    assert (weight, scale) == (1.0, 4.0)


def test_a_step_without_overflow_is_taken(report):
    weight, scale = report["overflow"][2]

    assert weight == pytest.approx(0.8)
    assert scale == 8.0
