"""Every architecture of ours is the network that it claims to be.

A checkpoint with drawn weights is written in the names and the format of a reference
library, loaded through `Module(name, weights=path)`, and must give the logits that the
library gave: tests/golden/README.md. docs/parity.md lists the differences.
"""

import math

import numpy as np
import pytest
from parity_cases import cases, shapes_of
from parity_measuring import TOLERANCE, TOLERANCE_OF_STAGES, measured

from hubcls.modules import finding

# Two networks of 3 GB each, with their checkpoints, would not fit into one machine's memory.
HUGE = 200_000_000


def marked_cases():
    for family, case in cases():
        marks = [] if case.is_quick else [pytest.mark.slow]
        if sum(map(math.prod, shapes_of(case).values())) > HUGE:
            marks.append(pytest.mark.xdist_group("huge"))
        yield pytest.param(family, case, id=case.name, marks=marks)


@pytest.mark.parametrize(("family", "case"), marked_cases())
def test_logits_are_those_of_the_reference(family, case, tmp_path):
    found = measured(family, case, tmp_path)

    assert found.difference < TOLERANCE
    np.testing.assert_allclose(
        found.stages, found.golden_stages, rtol=TOLERANCE_OF_STAGES, atol=TOLERANCE_OF_STAGES
    )
    spec = finding.spec(case.module)
    if case.publisher == spec.weights.publisher:
        assert found.counts == (spec.num_features, spec.num_parameters)
