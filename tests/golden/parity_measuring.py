"""How far our networks are from what a reference library answered."""

from dataclasses import dataclass

import keras
import numpy as np
from checkpoint_files import drawn_arrays, write
from golden_file import read
from parity_cases import FOLDER, shapes_of
from recipes import drawn_image, keys_sha256

import hubcls
from hubcls.modules import finding

# Aimed at for every network, in units of the logits' standard deviation.
TOLERANCE = 1e-4
# Of a stage's mean and standard deviation, absolute plus relative.
TOLERANCE_OF_STAGES = 1e-3


@dataclass(frozen=True)
class Measured:
    """One case, measured.

    Attributes:
        difference: largest of all logits' differences, in units of their standard deviation.
        stages: [S, 2], mean and standard deviation of our stages' outputs.
        golden_stages: the same of the reference's.
        counts: features and parameters of our backbone.
    """

    difference: float
    stages: np.ndarray
    golden_stages: np.ndarray
    counts: tuple[int, int]


def measured(family, case, folder):
    """Load a case's checkpoint as a user would, and compare.

    Args:
        family: the recipe's name.
        case: one of its cases.
        folder: where the checkpoint may be written; a few MB to 3 GB.
    """
    arrays, about = read(FOLDER / f"{family}.npz")
    golden, facts = arrays[f"{case.name}/logits"], about["cases"][case.name]
    path = checkpoint(folder, case, facts["keys_sha256"])
    module = hubcls.Module(case.module, weights=path, input_size=tuple(case.size))
    rule = module.preprocessing
    np.testing.assert_allclose((rule.mean, rule.std), (facts["mean"], facts["std"]))
    logits, stages = answers(module, drawn_image(*case.size))
    path.unlink()
    return Measured(
        float(np.abs(logits - golden).max() / golden.std()),
        stages,
        arrays[f"{case.name}/stages"],
        (module.backbone.output.shape[-1], module.backbone.count_params()),
    )


def checkpoint(folder, case, hashed):
    """The file that the reference library would have saved."""
    shapes = shapes_of(case)
    assert keys_sha256({key: shape for key, shape in shapes.items() if shape}) == hashed
    weights = finding.spec(case.module).for_weights(case.publisher).weights
    is_paddle = case.library == "paddleclas"
    path = folder / weights.file
    write(path, drawn_arrays(shapes, gain=case.gain, is_paddle=is_paddle), weights.format)
    return path


def answers(module, image):
    """A network's logits [C], and mean and standard deviation of its stages [S, 2]."""
    operations = {one.name: one.output for one in module.backbone.operations}
    ends = [operations[group.output] for group in module.layer_groups]
    network = keras.Model(module.backbone.input, [*ends, module.backbone.output])
    *stages, features = network(image[None].astype(np.float32))
    # The head stands in no public place: hubcls gives names and probabilities.
    logits = np.asarray(module._built.head(features))[0]
    return logits, np.array([(np.mean(stage), np.std(stage)) for stage in stages])
