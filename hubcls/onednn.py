"""oneDNN, Intel's library of convolutions and other parts of networks, inside TensorFlow."""

from __future__ import annotations

import os
import platform


def prefer_onednn() -> None:
    """Have TensorFlow compute by oneDNN on x86, unless TF_ENABLE_ONEDNN_OPTS is set.

    It is TensorFlow's default for processors with VNNI. Those with AVX2 alone it leaves to
    Eigen, which takes 1.4 to 2.7 times as long (docs/speed.md). TensorFlow looks as it is imported.
    """
    if platform.machine() in {"x86_64", "AMD64"}:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
