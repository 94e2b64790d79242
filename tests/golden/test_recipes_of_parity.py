"""Every recipe can be run by default, in part."""

from parity_cases import cases


def test_every_family_has_a_case_that_runs_by_default():
    families = {family for family, _ in cases()}
    quick = {family for family, case in cases() if case.is_quick}

    # Baidu's own weights are on the network of resnet_d.
    assert families - quick <= {"resnet_d_baidu"}
