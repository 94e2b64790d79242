"""EfficientNet-Lite answers what timm's answers, recorded in efficientnet_lite.json.

Largest difference seen, in units of the logits' standard deviation: 6e-6 (1e-4 allowed).
"""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import skimage.data

import hubcls
from hubcls.backbones import efficientnet_lite
from hubcls.modules import finding
from hubcls.modules.sources import native
from hubcls.weights import Naming
from hubcls.weights.loading import slots

RECIPES = runpy.run_path(str(Path(__file__).with_name("recipes.py")))
GOLDEN = json.loads(Path(__file__).with_name("efficientnet_lite.json").read_text(encoding="utf-8"))
PHOTOS = {"chelsea": skimage.data.chelsea, "coffee": skimage.data.coffee}
PRETRAINED = sorted({entry["module"] for entry in GOLDEN["pretrained"]})
TOLERANCE = 1e-4


@pytest.mark.parametrize("name", PRETRAINED)
def test_logits_with_the_packaged_weights_are_those_of_the_reference(name):
    entries = [entry for entry in GOLDEN["pretrained"] if entry["module"] == name]
    images = np.stack([photo_of(entry) for entry in entries])
    height, width = entries[0]["size"]

    built = native.build(finding.spec(name), weights="imagenet", height=height, width=width)
    logits = logits_of(built, images)

    for row, entry in zip(logits, entries, strict=True):
        assert RECIPES["relative_difference"](row, entry) < TOLERANCE


@pytest.mark.parametrize("number", [pytest.param(3, marks=pytest.mark.slow), 4])
def test_logits_with_seeded_weights_are_those_of_the_reference(number, tmp_path):
    spec = finding.spec(f"efficientnet_lite{number}_imagenet")
    [entry] = [entry for entry in GOLDEN["seeded"] if entry["module"] == spec.name]
    height, width = entry["size"]
    path = tmp_path / "seeded.safetensors"
    safetensors.numpy.save_file(seeded_weights(spec, entry["keys_sha256"]), path)

    built = native.build(spec, weights=path, height=height, width=width)
    [logits] = logits_of(built, photo_of(entry)[None])

    assert RECIPES["relative_difference"](logits, entry) < TOLERANCE


def test_the_cat_is_a_cat_and_the_coffee_an_espresso():
    module = hubcls.Module(name="efficientnet_lite0_imagenet")

    cat, coffee = module.classify([skimage.data.chelsea(), skimage.data.coffee()], top_k=3)

    assert {name for name, _ in cat} == {"tiger cat", "Egyptian cat", "tabby"}
    assert coffee[0][0] == "espresso"
    assert coffee[0][1] > 0.9


def photo_of(entry):
    """The photo as the reference saw it: proven by its hash."""
    image = RECIPES["centre_crop"](PHOTOS[entry["photo"]](), *entry["size"])
    assert RECIPES["sha256"](image) == entry["input_sha256"]
    return image


def logits_of(built, images):
    return np.asarray(built.head(built.backbone(images.astype(np.float32))))


def seeded_weights(spec, keys_sha256):
    """timm's weights as the reference drew them: by key and shape, both proven by a hash."""
    network = native.build(spec, weights=None, height=64, width=64)
    prefixes = efficientnet_lite(**spec.parameters).key_prefixes()["timm"]
    shapes = {
        slot.key: torch_shape(slot)
        for slot in slots(network.backbone.layers, Naming("timm", prefixes))
    }
    shapes |= {"classifier.weight": (1000, 1280), "classifier.bias": (1000,)}
    assert RECIPES["keys_sha256"](shapes) == keys_sha256
    return {key: RECIPES["seeded_weight"](key, shape) for key, shape in shapes.items()}


def torch_shape(slot):
    if len(slot.shape) == 1:
        return slot.shape
    height, width, *rest = slot.shape
    is_depthwise = slot.variable.split("/")[0].endswith("depthwise_conv")
    outputs, inputs = rest if is_depthwise else reversed(rest)
    return outputs, inputs, height, width
