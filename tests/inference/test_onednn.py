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
FEATURES = """
import sys
import hubcls
import numpy as np
module = hubcls.Module(name="efficientnet_lite0_imagenet")
pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
np.save(sys.argv[1], module.backbone.predict(pixels, verbose=0))
from tensorflow.python.util import _pywrap_util_port
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
def test_onednn_computes_what_eigen_computes(tmp_path):
    is_on = run(FEATURES, tmp_path / "onednn.npy")
    is_off = run(FEATURES, tmp_path / "eigen.npy", **{SWITCH: "0"})

    assert (is_on, is_off) == ("True", "False")
    expected = np.load(tmp_path / "eigen.npy")
    found = np.load(tmp_path / "onednn.npy")
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
