"""What docs/benchmarks.md promises of the default strategy, by its own command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

INSTALLED = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_two_epochs_on_2000_images_reach_88_percent_of_the_test_images(tmp_path):
    command = [
        *("train", "--module", "efficientnet_lite0_imagenet", "--dataset", "fashion_mnist"),
        *("--train-examples", "2000", "--num-epoch", "2", "--checkpoint-dir", str(tmp_path)),
    ]

    done = subprocess.run(
        [sys.executable, "-m", "hubcls", *command],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    test = json.loads((tmp_path / "report.json").read_text())["evaluations"]["test"]
    assert test["num_examples"] == 10_000
    assert test["scores"]["acc"] >= 0.88
