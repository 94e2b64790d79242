"""Every network that PaddlePaddle, PaddleHub and PaddleClas offer is in the catalogue."""

from pathlib import Path

import pytest

from hubcls.cli.main import main
from hubcls.errors import UnknownNameError
from hubcls.modules import finding

FOLDER = Path(__file__).with_name("names")
# Their weights lie inside PaddleHub's old packages alone; nobody publishes a file of tensors.
ARCHITECTURE_ONLY = {
    "mobilenet_v2_animals",
    "mobilenet_v2_dishes",
    "resnet50_vd_animals",
    "resnet50_vd_dishes",
    "resnet50_vd_wildanimals",
}
# PaddlePaddle's table means the network with swish, PaddleClas the one with ReLU; their tensors
# have the same names and shapes, so nothing but the reader could tell which one he got.
AMBIGUOUS = "ShuffleNetV2"


def names_in(path):
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#") and line != AMBIGUOUS]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_name_of_the_list_is_listed(path, capsys):
    assert main(["modules", "list"]) == 0
    printed = set(capsys.readouterr().out.replace(",", " ").split())

    missing = [name for name in names_in(path) if name not in printed]

    assert not missing, f"{len(missing)} of {len(names_in(path))}: {missing}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_every_name_of_the_list_can_be_asked_for(path):
    for name in names_in(path):
        assert finding.spec(name).paper.title


@pytest.mark.parametrize("path", sorted(FOLDER.glob("paddle[pc]*.txt")), ids=lambda path: path.stem)
def test_paddles_name_of_a_network_stands_for_paddles_weights(path):
    found = {name: finding.spec(name).weights.publisher for name in names_in(path)}

    assert set(found.values()) <= {"paddle", "paddle_static"}


def test_a_name_of_two_networks_leads_to_both():
    with pytest.raises(UnknownNameError, match="shufflenet_v2_imagenet, shufflenet_v2_x1_0_imag"):
        finding.spec(AMBIGUOUS)


def test_every_module_of_the_lists_has_public_weights_or_says_why_not():
    listed = [name for path in FOLDER.glob("*.txt") for name in names_in(path)]
    asked = [finding.spec(name) for name in listed]

    without = {one.name: one.note for one in asked if one.weights is None}

    assert set(without) == ARCHITECTURE_ONLY
    assert all(without.values())
