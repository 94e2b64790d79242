"""TensorFlow computes by oneDNN from `import hubcls` on, unless the user has said otherwise."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="hubcls asks for it on x86"
)

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
COMPUTED = """
import sys
import hubcls
import numpy as np
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port
network = hubcls.Module(name="efficientnet_lite0_imagenet").backbone
pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
with tf.GradientTape() as tape:
    features = network(pixels, training=False)
    loss = tf.reduce_mean(features**2)
gradients = tape.gradient(loss, network.trainable_weights)
np.savez(sys.argv[1], features, *(gradient.numpy() for gradient in gradients))
print(_pywrap_util_port.IsMklEnabled())
"""


def run(code, *arguments, **variables):
    others = {name: value for name, value in os.environ.items() if name != SWITCH}
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**others, **variables},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(("variables", "expected"), [({}, "1"), ({SWITCH: "0"}, "0")])
def test_the_switch_is_set_unless_the_user_has_set_it(variables, expected):
    assert run(f"import hubcls, os; print(os.environ[{SWITCH!r}])", **variables) == expected


@pytest.mark.slow
def test_features_and_gradients_are_those_of_eigen(tmp_path):
    is_on = run(COMPUTED, tmp_path / "onednn.npz")
    is_off = run(COMPUTED, tmp_path / "eigen.npz", **{SWITCH: "0"})

    assert (is_on, is_off) == ("True", "False")
    with np.load(tmp_path / "onednn.npz") as found, np.load(tmp_path / "eigen.npz") as expected:
        assert len(found.files) == len(expected.files) > 100
        for name in expected.files:
            # By its length: where an activation is at its kink, single numbers differ more.
            difference = np.linalg.norm(found[name] - expected[name])
            assert difference <= 3e-3 * np.linalg.norm(expected[name]), name
