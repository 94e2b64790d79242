"""hubcls modules: what it prints."""

import pytest

from hubcls.cli.main import main
from hubcls.modules.finding import names, spec


def output_of(capsys, *arguments):
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_list_has_a_line_for_every_module(capsys):
    lines = output_of(capsys, "modules", "list").splitlines()

    assert {line.split()[0] for line in lines[1 : len(names()) + 1]} == set(names())


def test_list_of_a_family_has_only_its_names(capsys):
    lines = output_of(capsys, "modules", "list", "--family", "efficientnet_lite").splitlines()

    assert len(lines) > 3
    assert all("efficientnet_lite" in line for line in lines[1:-2])


def test_list_shows_size_accuracy_and_licence(capsys):
    text = output_of(capsys, "modules", "list", "--family", "efficientnet_lite0")

    module = spec("efficientnet_lite0_imagenet")
    assert f"{module.published.top1:.1f}" in text
    assert module.licence in text
    assert f" {module.preprocessing.height} " in text


@pytest.mark.parametrize("name", names()[::10])
def test_show_prints_licence_paper_and_normalisation(name, capsys):
    text = output_of(capsys, "modules", "show", name)

    assert spec(name).licence in text
    assert spec(name).paper.title in text
    assert "mean" in text


def test_show_takes_an_alias(capsys):
    assert "resnet_v2_50_imagenet" in output_of(capsys, "modules", "show", "resnet50")


def test_show_names_the_nearest_on_a_typo(capsys):
    code = main(["modules", "show", "efficientnet_lite0_imagnet"])

    assert code == 2
    assert "efficientnet_lite0_imagenet" in capsys.readouterr().err


def test_search_finds_by_a_part_of_the_name(capsys):
    assert "efficientnet_lite0_imagenet" in output_of(capsys, "modules", "search", "lite0")


def test_search_without_a_result_says_so(capsys):
    assert "no module fits" in output_of(capsys, "modules", "search", "qqqqqq")
