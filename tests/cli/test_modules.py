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


def listed(capsys, *flags):
    lines = output_of(capsys, "modules", "list", *flags).splitlines()
    return [spec(line.split()[0]) for line in lines[1:-2]]


def test_list_takes_limits_and_an_order(capsys):
    found = listed(
        capsys, "--family", "resnet", "--max-params", "30M", "--min-top1", "72", "--sort", "macs"
    )

    assert found
    assert all("resnet" in one.name + one.family for one in found)
    assert all(one.num_parameters <= 30e6 and one.published.top1 >= 72 for one in found)
    macs = [one.num_macs or float("inf") for one in found]
    assert macs == sorted(macs)


def test_list_sorts_the_most_accurate_to_the_top(capsys):
    known = [
        one.published.top1 if one.published else -1 for one in listed(capsys, "--sort", "top1")
    ]

    assert known == sorted(known, reverse=True)
    assert known[0] > 80


def test_a_limit_leaves_out_what_is_not_known(capsys):
    found = listed(capsys, "--max-macs", "1G")

    assert found
    assert all(one.num_macs <= 1e9 for one in found)


@pytest.mark.parametrize("limit", ["many", "-3M", "M", "nan"])
def test_a_limit_that_is_no_number_is_explained(limit, capsys):
    with pytest.raises(SystemExit):
        main(["modules", "list", f"--max-params={limit}"])

    assert "must be a number such as 600k, 10M or 4.1G" in capsys.readouterr().err


def test_show_names_every_publisher(capsys):
    text = output_of(capsys, "modules", "show", "alexnet_imagenet")

    assert "'paddle': ImageNet-1k, https://paddle-imagenet-models-name" in text
    assert "top-1 56.7 %" in text
    assert "714.2M" in text


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
