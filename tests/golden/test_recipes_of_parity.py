"""Every recipe can be run by default, in part, and every golden file holds what it asks for."""

import numpy as np
from golden_file import read
from parity_cases import FOLDER, cases


def test_every_family_has_a_case_that_runs_by_default():
    families = {family for family, _ in cases()}
    quick = {family for family, case in cases() if case.is_quick}

    # Baidu's own weights are on the network of resnet_d.
    assert families - quick <= {"resnet_d_baidu"}


def test_every_case_has_the_statistics_of_its_stages():
    families = {family for family, _ in cases()}
    files = {family: read(FOLDER / f"{family}.npz") for family in families}

    for family, case in cases():
        arrays, about = files[family]
        stages = arrays[f"{case.name}/stages"]
        assert about["cases"][case.name]["stages"] == case.stages
        assert stages.shape == (len(case.stages), 2)
        assert len(stages) > 1
        assert np.isfinite(stages).all()
