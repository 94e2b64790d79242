"""Every architecture of ours is the network that it claims to be.

A checkpoint with drawn weights is written in the names and the format of a reference
library, loaded through `Module(name, weights=path)`, and must give the logits that the
library gave: tests/golden/README.md. docs/parity.md lists the differences.
"""

import keras
import numpy as np
import pytest
from checkpoint_files import drawn_arrays, write
from golden_file import read
from parity_cases import FOLDER, cases, shapes_of
from recipes import drawn_image, keys_sha256

import hubcls
from hubcls.modules import finding

# In units of the logits' standard deviation.
TOLERANCE = 1e-4


def marked_cases():
    for family, case in cases():
        marks = () if case.is_quick else (pytest.mark.slow,)
        yield pytest.param(family, case, id=case.name, marks=marks)


@pytest.mark.parametrize(("family", "case"), marked_cases())
def test_logits_are_those_of_the_reference(family, case, tmp_path):
    arrays, about = read(FOLDER / f"{family}.npz")
    golden, facts = arrays[f"{case.name}/logits"], about["cases"][case.name]
    shapes = shapes_of(case)
    assert facts["keys_sha256"] == keys_sha256({k: s for k, s in shapes.items() if s})
    path = checkpoint(tmp_path, case, shapes)

    module = hubcls.Module(case.module, weights=path, input_size=tuple(case.size))

    rule = module.preprocessing
    np.testing.assert_allclose((rule.mean, rule.std), (facts["mean"], facts["std"]))
    found = stages_and_logits(module, drawn_image(*case.size))
    difference = np.abs(found["logits"] - golden).max() / golden.std()
    assert difference < TOLERANCE
    if case.stages:
        np.testing.assert_allclose(
            found["stages"], arrays[f"{case.name}/stages"], rtol=1e-3, atol=1e-3
        )


def checkpoint(folder, case, shapes):
    """The file that the reference library would have saved."""
    weights = finding.spec(case.module).for_weights(case.publisher).weights
    is_paddle = case.library == "paddleclas"
    path = folder / weights.file
    arrays = drawn_arrays(shapes, gain=case.gain, is_paddle=is_paddle)
    write(path, arrays, weights.format)
    return path


def stages_and_logits(module, image):
    """The network's logits [C], and mean and standard deviation of its stages [S, 2]."""
    pixels = image[None].astype(np.float32)
    operations = {one.name: one.output for one in module.backbone.operations}
    ends = [operations[group.output] for group in module.layer_groups]
    network = keras.Model(module.backbone.input, [*ends, module.backbone.output])
    *stages, features = network(pixels)
    return {
        "logits": np.asarray(module._built.head(features))[0],
        "stages": [(float(np.mean(stage)), float(np.std(stage))) for stage in stages],
    }
