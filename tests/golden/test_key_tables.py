"""Every published file's keys are mapped, in shape, onto the network of its row.

Numbers prove one publisher of a row (test_parity.py), PaddlePaddle's old archives
have a test of their own (test_static_archives.py); here are the others, with the tables of
keys in checkpoint_keys.xz and no weights at all.
"""

import logging

import numpy as np
import pytest
from parity_cases import cases, shapes_of_weights

from hubcls.modules import finding
from hubcls.modules.sources import native
from hubcls.modules.sources.native import Checkpoint

PROVEN = {case.name for _, case in cases()}
QUICK = {"alexnet_imagenet/paddle"}


def mapped():
    for spec in finding.specs():
        for variant in spec.variants:
            if variant.source != "native" or variant.weights is None:
                continue
            if variant.weights.publisher == "paddle_static":
                continue  # test_static_archives.py
            name = f"{spec.name}/{variant.weights.publisher}"
            if name not in PROVEN and shapes_of_weights(variant.weights) is not None:
                marks = () if name in QUICK else (pytest.mark.slow,)
                yield pytest.param(variant, id=name, marks=marks)


@pytest.mark.parametrize("spec", mapped())
def test_every_key_of_the_published_file_has_its_place(spec, monkeypatch, caplog):
    arrays = {
        key: np.broadcast_to(np.float32(0.5), shape) if shape else np.int64(0)
        for key, shape in shapes_of_weights(spec.weights).items()
    }
    framework = "paddle" if spec.weights.format == "pdparams" else "torch"
    monkeypatch.setattr(native, "_read", lambda *_: Checkpoint(arrays, framework))
    size = spec.preprocessing

    with caplog.at_level(logging.INFO, logger="hubcls"):
        built = native.build(spec, weights="imagenet", height=size.height, width=size.width)

    assert built.head is not None
    assert built.head.output.shape[-1] == 1000
    assert "classes, not ImageNet's" not in caplog.text
