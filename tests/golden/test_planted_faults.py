"""The comparison with the references can fail: faults that hide well are planted, and show."""

import dataclasses

import numpy as np
import pytest
from parity_cases import cases
from parity_measuring import TOLERANCE, TOLERANCE_OF_STAGES, measured

from hubcls.backbones import vision_transformer
from hubcls.modules import finding
from hubcls.weights import layouts

CASES = {case.name: (family, case) for family, case in cases()}
# What a row's parameters become; the difference that each makes is far from any rounding.
WRONG_NUMBERS = {
    "another epsilon in BatchNorm": (
        "mobilenet_v3_small_x0_35_imagenet/paddle",
        {"style": {"bn_epsilon": 1e-3}},
    ),
    "symmetric padding for TensorFlow's": (
        "efficientnetb0_imagenet/timm",
        {"style": {"padding": "symmetric"}},
    ),
    "pools that stop at the edge": (
        "squeezenet1_1_imagenet/torchvision",
        {"has_ceil_pools": False},
    ),
    "another slope of the hard sigmoid": (
        "mobilenet_v3_small_x0_35_imagenet/paddle",
        {"gate": {"output": "hard_sigmoid"}},
    ),
}


@pytest.mark.parametrize("fault", WRONG_NUMBERS)
def test_a_wrong_number_shows(fault, monkeypatch, tmp_path):
    name, changes = WRONG_NUMBERS[fault]
    plant(monkeypatch, changes)

    assert measured(*CASES[name], tmp_path).difference > 10 * TOLERANCE


def test_a_swapped_axis_shows(monkeypatch, tmp_path):
    rules = layouts.LEAVES["torch"]["Conv2D"]
    swapped = {**rules, "kernel": (".weight", lambda array, _: np.transpose(array, (3, 2, 1, 0)))}
    monkeypatch.setitem(layouts.LEAVES["torch"], "Conv2D", swapped)

    found = measured(*CASES["squeezenet1_1_imagenet/torchvision"], tmp_path)

    assert found.difference > 10 * TOLERANCE


def test_a_stage_that_ends_a_block_too_soon_shows(monkeypatch, tmp_path):
    quarters = [range(2), range(2, 6), range(6, 9), range(9, 12)]
    monkeypatch.setattr(vision_transformer, "quarters", lambda _depth: quarters)

    found = measured(*CASES["deit_tiny_patch16_224_imagenet/timm"], tmp_path)

    assert found.difference < TOLERANCE
    assert np.abs(found.stages - found.golden_stages).max() > 10 * TOLERANCE_OF_STAGES


def plant(monkeypatch, changes):
    """Let the catalogue say something else about every module."""
    honest = finding.spec

    def faulty(name):
        spec = honest(name)
        variants = tuple(
            dataclasses.replace(one, parameters=merged(one.parameters, changes))
            for one in spec.variants
        )
        return dataclasses.replace(variants[0], variants=variants)

    monkeypatch.setattr(finding, "spec", faulty)


def merged(values, changes):
    """Nested dictionaries, the second's entries over the first's."""
    return values | {
        key: merged(values.get(key, {}), change) if isinstance(change, dict) else change
        for key, change in changes.items()
    }
