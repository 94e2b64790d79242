"""The catalogue of data sets."""

import dataclasses
import subprocess
import sys

import pytest

from hubcls import catalogue
from hubcls.datasets import names
from hubcls.datasets.finding import spec, specs
from hubcls.datasets.originals import _LAYOUTS
from hubcls.datasets.spec import DatasetSpec
from hubcls.errors import CatalogueError, UnknownNameError

PADDLEHUB = {"flowers": 5, "dogcat": 2, "stanforddogs": 120, "indoor67": 67, "food101": 101}
ROW = """name: mine
title: Mine
summary: My photos.
licence: CC0
homepage: https://example.org
num_classes: 2
"""
SOURCE = """
sources:
  original:
    layout: lists
    files:
      - name: mine.zip
        unpack_to: images
        urls: [https://example.org/mine.zip]
"""


PADDLECLAS = {"cifar10": 10, "cifar100": 100, "flowers102": 102, "nus_wide_scene": 33}


def test_the_catalogue_holds_paddles_data_sets_and_two_small_ones():
    assert set(names()) == {*PADDLEHUB, *PADDLECLAS, "imagenet", "digits", "fashion_mnist"}
    assert list(names()) == sorted(names())


@pytest.mark.parametrize("name", PADDLEHUB)
def test_paddlehubs_archives_come_first_and_the_originals_after_them(name):
    row = spec(name)

    assert list(row.sources) == ["paddlehub", "original"]
    assert row.num_classes == PADDLEHUB[name]
    (file,) = row.sources["paddlehub"].files
    assert file.urls[0].startswith("https://bj.bcebos.com/paddlehub-dataset/")


def test_the_labels_of_flowers_and_dogcat_are_paddlehubs():
    assert spec("flowers").class_names == ("roses", "tulips", "daisy", "sunflowers", "dandelion")
    assert spec("dogcat").class_names == ("cat", "dog")


@pytest.mark.parametrize("row", specs().values(), ids=names())
def test_every_row_of_the_catalogue_states_what_a_user_must_know(row):
    assert row.licence
    assert row.summary.endswith(".")
    assert row.homepage.startswith("http")
    assert len(row.class_names) == row.num_classes or row.name == "imagenet"
    assert {source.layout for source in row.sources.values()} <= {
        "lists", "idx", "cifar", *_LAYOUTS
    }  # fmt: skip


@pytest.mark.parametrize("name", ["Flowers", "FLOWERS", "flower_photos", "Flower-Photos"])
def test_case_hyphens_and_aliases_find_the_same_row(name):
    assert spec(name).name == "flowers"


def test_no_name_stands_for_two_data_sets():
    known = [word for row in specs().values() for word in (row.name, *row.aliases)]

    assert len(set(known)) == len(known)
    assert all(word == word.lower().replace("-", "_") for word in known)


def test_an_unknown_name_lists_the_nearest():
    with pytest.raises(UnknownNameError, match="flowers"):
        spec("flower")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (ROW.replace("licence: CC0\n", ""), "mine.yaml:1: the file lacks licence"),
        (ROW.replace("CC0", '""'), "licence is empty"),
        (ROW + "class_names: [a, b, c]\n", "holds 3 different names"),
        (ROW + "license: CC0\n", "mine.yaml:7: .*did you mean: licence"),
        (ROW + SOURCE.replace("https:", "ftp:"), "mine.yaml:12: .*urls must be http"),
        (ROW + SOURCE.replace("[https://example.org/mine.zip]", "[]"), "at least one"),
        (ROW + SOURCE + "        sha256: abc\n", "64 digits"),
        (ROW + SOURCE.replace("layout: lists", "layout: zoo"), "mine.yaml:10: 'layout' must be"),
        (ROW + SOURCE.replace("to: images", "to: ../images"), "unpack_to must be"),
        (ROW, "either sources or brought_by"),
    ],
)
def test_a_wrong_row_is_refused_with_file_and_line(wrong, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(wrong)

    with pytest.raises(CatalogueError, match=message):
        catalogue.read(tmp_path / "mine.yaml", DatasetSpec)


def test_a_right_row_is_read(tmp_path):
    (tmp_path / "mine.yaml").write_text(ROW + SOURCE)

    row = catalogue.read(tmp_path / "mine.yaml", DatasetSpec)

    assert dataclasses.asdict(row)["sources"]["original"]["files"][0]["name"] == "mine.zip"


def test_listing_the_data_sets_loads_nothing_heavy():
    script = (
        "import sys, hubcls.datasets\n"
        "from hubcls.datasets.finding import spec\n"
        "[spec(name) for name in hubcls.datasets.names()]\n"
        "print([name for name in ('tensorflow', 'sklearn', 'scipy', 'PIL') if name in sys.modules])"
    )

    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"
