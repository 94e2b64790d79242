"""docs/parity.md says of every family what was measured."""

import json

from measure_parity import PAGE, RESULTS, page
from parity_cases import cases

from hubcls.modules import finding

RESULTS_BY_CASE = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_every_case_has_been_measured_and_none_is_off():
    assert set(RESULTS_BY_CASE) == {case.name for _, case in cases()}
    assert max(RESULTS_BY_CASE.values()) < 1e-3


def test_the_page_is_what_was_measured():
    written = PAGE.read_text(encoding="utf-8")

    assert page(RESULTS_BY_CASE).partition("Measured in")[0] == written.partition("Measured in")[0]


def test_every_network_of_our_own_is_compared_with_a_reference():
    proven = {case.module for _, case in cases()}
    variants = [one for spec in finding.specs() for one in spec.variants]
    ours = [one for one in variants if one.source == "native"]
    graphs = {graph(one) for one in ours if one.name in proven}

    unproven = {one.name for one in ours if one.name not in proven and graph(one) not in graphs}

    # No library has the fused form: test_static_archives.py fuses PaddleClas' ResNet50 itself.
    # Nor the small networks, which have no weights: tests/backbones/test_residual.py.
    small = {one.name for one in ours if one.family == "resnet_cifar"}
    assert unproven == {"resnet50_acnet_deploy_imagenet"} | small


def graph(spec):
    """What decides which network a row's weights get."""
    return spec.builder, json.dumps(spec.parameters, sort_keys=True)
