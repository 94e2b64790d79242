import json
import subprocess
import sys
from pathlib import Path

import pytest

from hubcls.errors import ConfigError

# What its tests share is made once, by one worker.
pytestmark = pytest.mark.xdist_group("mirrored")

SCRIPT = Path(__file__).with_name("mirrored_run.py")


def compared(folder, *cases):
    """Each case on one device and on two; TensorFlow takes logical devices only at its start."""
    result = folder / "result.json"
    process = subprocess.run(
        [sys.executable, SCRIPT, result, *cases], capture_output=True, text=True, timeout=500
    )
    assert process.returncode == 0, process.stderr[-5000:]
    return json.loads(result.read_text())


def assert_same(case):
    assert case["two"]["replicas"] == 2
    assert case["one"]["replicas"] == 1
    assert case["difference"] < 1e-5
    assert case["two"]["loss"] == pytest.approx(case["one"]["loss"], abs=1e-4)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return compared(tmp_path_factory.mktemp("mirrored"), "auto", "batch_norm_trains")


@pytest.mark.parametrize("case", ["auto", "batch_norm_trains"])
def test_two_replicas_give_one_devices_weights(found, case):
    assert_same(found[case])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", ["clip_l2_decay", "l2sp", "ulmfit", "ema_smoothing_weights", "accumulation"]
)
def test_two_replicas_give_one_devices_weights_with_every_rule(case, tmp_path):
    assert_same(compared(tmp_path, case)[case])


@pytest.mark.slow
def test_batch_norm_that_is_not_synchronised_sees_smaller_batches(tmp_path):
    case = compared(tmp_path, "batch_norm_of_each_device")["batch_norm_of_each_device"]

    assert case["two"]["replicas"] == 2
    assert case["difference"] > 1e-3


@pytest.mark.slow
def test_two_replicas_in_bfloat16_agree_to_its_rounding(tmp_path):
    found = compared(tmp_path, "mixed_bfloat16")

    assert found["mixed_bfloat16"]["difference"] < 2e-2


def test_replicas_drop_different_features(found):
    first, second = found["dropout_masks"]

    assert first != second


def test_synchronised_batch_norm_has_the_statistics_of_all_devices(found):
    assert found["synchronized"] == [[1.0, 1.0], [1.0, 1.0]]


def test_else_each_device_has_its_own_until_they_agree_on_the_mean(found):
    assert found["each_its_own"] == [[0.5, 1.5], [1.0, 1.0]]


def test_an_optimizer_that_fails_on_several_devices_is_refused(found):
    assert "global_clipnorm: use" in found["refusal"]


def test_mirrored_on_one_device_says_what_it_needs(make_task):
    with pytest.raises(ConfigError, match="two logical CPU devices"):
        make_task(distribution="mirrored").finetune_and_eval()


def test_auto_uses_one_device_without_gpus(make_task):
    task = make_task(distribution="auto")

    assert "one CPU" in task.describe_run()
