"""Modules are found by name, alias and word, without TensorFlow."""

import subprocess
import sys
import time

import pytest

from hubcls import catalogue
from hubcls.errors import CatalogueError, UnknownNameError
from hubcls.modules import finding
from hubcls.modules.spec import Family

ROW = """\
  - name: {name}
    builder: Net
    input_size: 32
    num_features: 8
    num_parameters: 100
"""
FAMILY = """\
family: {family}
summary: a net for tests
source: native
paper: {{title: A Paper, year: 2020}}
licence: MIT
modules:
"""


def write_family(folder, family, rows):
    path = folder / f"{family}.yaml"
    path.write_text(FAMILY.format(family=family) + rows)
    return path


def test_every_row_of_the_catalogue_can_be_read():
    specs = finding.specs()

    assert len(specs) >= 45
    assert all(spec.licence and spec.paper.title and spec.paper.year for spec in specs)


def test_paddlehub_short_names_mean_what_its_demo_meant():
    meant = {
        "resnet50": "resnet_v2_50_imagenet",
        "resnet101": "resnet_v2_101_imagenet",
        "resnet152": "resnet_v2_152_imagenet",
        "mobilenet": "mobilenet_v2_imagenet",
        "nasnet": "nasnet_imagenet",
    }

    assert {alias: finding.spec(alias).name for alias in meant} == meant


def test_classes_of_keras_applications_are_aliases_of_the_same_weights():
    assert finding.spec("EfficientNetV2B0").builder == "EfficientNetV2B0"
    assert finding.spec("ResNet50V2").builder == "ResNet50V2"


def test_paddles_class_stands_for_paddles_weights_whoever_is_preferred():
    paddles, preferred = finding.spec("EfficientNetB0"), finding.spec("efficientnetb0_imagenet")

    assert (paddles.name, paddles.weights.publisher) == (preferred.name, "paddle")
    assert preferred.weights.publisher == "keras"
    assert finding.aliases()["EfficientNetB0"] == preferred.name


def test_a_typo_gets_the_nearest_names():
    with pytest.raises(UnknownNameError, match="resnet_50_imagenet") as caught:
        finding.spec("resnet_50_imagnet")

    assert "hubcls modules list" in str(caught.value)


def test_a_name_of_the_same_architecture_is_no_alias_but_leads_to_it():
    with pytest.raises(UnknownNameError, match="other weights: convnext_tiny_imagenet"):
        finding.spec("convnext_tiny.fb_in1k")


def test_searching_takes_every_word():
    found = {spec.name for spec in finding.search("pre-activation resnet50")}

    assert found == {"resnet_v2_50_imagenet"}


def test_searching_finds_names_of_other_libraries():
    assert "vgg16_imagenet" in {spec.name for spec in finding.search("vgg16.tv_in1k")}


def test_a_name_taken_twice_is_an_error_that_names_both_places(tmp_path):
    first = write_family(tmp_path, "first", ROW.format(name="net_a") + ROW.format(name="net_b"))
    second = write_family(tmp_path, "second", ROW.format(name="net_b"))

    with pytest.raises(CatalogueError) as caught:
        finding.read_index([first, second])

    assert str(caught.value) == f"{second}:7: the name 'net_b' is taken by {first}:12"


def test_letter_case_tells_names_apart(tmp_path):
    rows = ROW.format(name="net_a") + "    aliases: [NET_B]\n" + ROW.format(name="net_b")

    index = finding.read_index([write_family(tmp_path, "nets", rows)])

    assert index.aliases == {"NET_B": "net_a"}
    assert set(index.specs) == {"net_a", "net_b"}


SOURCES = """\
    weights:
      - {publisher: timm, format: safetensors, urls: [u], file: a, licence: BSD-3-Clause}
      - publisher: paddle
        format: pdparams
        urls: [u]
        file: b
        parameters: {is_wide: true}
        preprocessing: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
        published: {top1: 70.5, source: PaddleClas}
"""


@pytest.fixture
def two_sources(tmp_path):
    rows = ROW.format(name="net_a") + "    parameters: {depth: 3}\n" + SOURCES
    return finding.read_index([write_family(tmp_path, "nets", rows)]).specs["net_a"]


def test_the_first_weights_are_preferred(two_sources):
    assert two_sources.publishers == ("timm", "paddle")
    assert (two_sources.weights.file, two_sources.licence) == ("a", "BSD-3-Clause")
    assert two_sources.parameters == {"depth": 3}
    assert two_sources.for_weights("imagenet") == two_sources == two_sources.for_weights(None)


@pytest.mark.parametrize("weights", ["paddle", "my/own.pdparams", "old.tar"])
def test_other_weights_bring_their_pixels_and_their_variant(two_sources, weights):
    chosen = two_sources.for_weights(weights)

    assert chosen.parameters == {"depth": 3, "is_wide": True}
    assert (chosen.preprocessing.mean, chosen.published.top1) == ((0.5, 0.5, 0.5), 70.5)
    assert (chosen.licence, chosen.publishers) == ("MIT", ("timm", "paddle"))
    assert chosen.for_weights("timm").parameters == {"depth": 3}


def test_a_file_of_an_unpublished_format_is_taken_as_the_preferred(two_sources):
    assert two_sources.for_weights("my/own.keras") == two_sources
    assert two_sources.for_weights("my/own.pth").weights.publisher == "timm"


def test_two_sources_need_publishers_of_different_names(tmp_path):
    rows = ROW.format(name="net_a") + SOURCES.replace("paddle", "timm")

    with pytest.raises(CatalogueError, match="publishers of different names"):
        finding.read_index([write_family(tmp_path, "nets", rows)])


@pytest.mark.parametrize("missing", ["licence", "paper"])
def test_a_row_without_licence_or_paper_is_refused(tmp_path, missing):
    path = write_family(tmp_path, "nets", ROW.format(name="net_a"))
    lines = [line for line in path.read_text().splitlines() if not line.startswith(missing)]
    path.write_text("\n".join(lines))

    with pytest.raises(CatalogueError, match=f"nets.yaml:1: the file lacks {missing}"):
        catalogue.read(path, Family)


def test_a_misspelt_key_names_line_and_right_key(tmp_path):
    path = write_family(tmp_path, "nets", ROW.format(name="net_a") + "    alias: [x]\n")

    with pytest.raises(CatalogueError, match=r"nets.yaml:12: .*'alias'; did you mean: aliases"):
        catalogue.read(path, Family)


def test_a_hash_of_the_wrong_length_is_refused(tmp_path):
    weights = "    weights: [{format: pth, urls: [u], file: f, sha256: abc}]\n"
    path = write_family(tmp_path, "nets", ROW.format(name="net_a") + weights)

    with pytest.raises(CatalogueError, match=r"nets.yaml:12: .*64 hexadecimal digits"):
        catalogue.read(path, Family)


def test_the_catalogue_is_read_fast_and_without_tensorflow():
    code = "import sys, hubcls.modules as m; m.names(); print(sorted(sys.modules))"

    started = time.perf_counter()
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    took = time.perf_counter() - started

    assert b"'tensorflow'" not in loaded
    assert b"'keras'" not in loaded
    assert took < 2.0, "half a second on an idle machine"
