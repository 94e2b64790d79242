"""hubcls datasets: what it prints."""

import pytest

from hubcls.cli.main import main
from hubcls.datasets.finding import names, spec


def output_of(capsys, *arguments):
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_list_has_a_line_for_every_data_set(capsys):
    lines = output_of(capsys, "datasets", "list").splitlines()

    assert [line.split()[0] for line in lines[1 : len(names()) + 1]] == list(names())


@pytest.mark.parametrize("name", names())
def test_show_prints_the_licence_and_the_classes(name, capsys):
    text = output_of(capsys, "datasets", "show", name)

    assert spec(name).licence in text
    assert str(spec(name).num_classes) in text


def test_show_takes_an_alias(capsys):
    assert "name         flowers" in output_of(capsys, "datasets", "show", "tf_flowers")


def test_show_warns_of_augmentations_that_change_the_class(capsys):
    text = output_of(capsys, "datasets", "show", "digits")

    assert "horizontal flip, random crop" in text


def test_prepare_says_what_there_is(capsys):
    text = output_of(capsys, "datasets", "prepare", "digits")

    assert text.startswith("Dataset: ")
    assert "classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in text
