"""PaddlePaddle's old archives fill the very weights that PaddleClas' files fill.

Numbers prove PaddleClas' names (test_parity.py). The archives of one file a tensor have
names of their own, which checkpoint_keys.xz holds in the same order: so every tensor of
one has its counterpart in the other, and both must end in the same place.
"""

import keras
import numpy as np
import pytest
from checkpoint_files import drawn_arrays, write
from checkpoint_keys import keys_of
from golden_file import read
from parity_cases import FOLDER, shapes_of_weights
from parity_measuring import TOLERANCE, answers
from recipes import drawn_image

import hubcls
from hubcls.modules import finding
from hubcls.modules.sources import native
from hubcls.modules.sources.native import Checkpoint

RESNET = "resnet50_imagenet/paddle"
QUICK = {"AlexNet", "MobileNetV3_small_x0_35", "ResNet18_vd", "ShuffleNetV2_x0_25"}
# Their programs had a dropout before the classifier whose mean remains, PaddleClas has none.
REMAINS = {"SENet154_vd": 0.8, "SE_ResNeXt50_32x4d": 0.5, "SE_ResNeXt101_32x4d": 0.5}


def pairs():
    """A row with an archive and a file of PaddleClas, once for each table of an archive."""
    tables = []
    for spec in finding.specs():
        by_publisher = {one.weights.publisher: one for one in spec.variants if one.weights}
        archive, file = (by_publisher.get(name) for name in ("paddle_static", "paddle"))
        table = archive and file and shapes_of_weights(archive.weights)
        if table and table not in tables:
            tables.append(table)
            model = archive.weights.file.removesuffix("_pretrained.tar")
            marks = () if model in QUICK else (pytest.mark.slow,)
            yield pytest.param(archive, file, REMAINS.get(model), id=model, marks=marks)


@pytest.mark.parametrize(("archive", "file", "remains"), pairs())
def test_an_archive_and_paddleclas_file_fill_the_same_weights(archive, file, remains, monkeypatch):
    old = filled(archive, monkeypatch)
    new = filled(file, monkeypatch)

    if remains:
        new["fc/kernel"] *= remains
    assert old == pytest.approx(new)


def filled(spec, monkeypatch):
    """Each weight's one value, when every tensor of the file holds its place's number."""
    shapes = shapes_of_weights(spec.weights)
    arrays = {
        key: np.broadcast_to(np.float32(place), shape)
        for place, (key, shape) in enumerate(shapes.items(), start=1)
    }
    monkeypatch.setattr(native, "_read", lambda *_: Checkpoint(arrays, "paddle"))
    size = spec.preprocessing
    built = native.build(spec, weights="imagenet", height=size.height, width=size.width)
    values = {}
    for weight in (*built.backbone.weights, *built.head.weights):
        smallest, largest = float(np.min(weight)), float(np.max(weight))
        assert smallest == largest
        values[weight.path] = smallest
    keras.backend.clear_session()
    return values


@pytest.mark.slow
def test_acnets_archive_gives_what_resnet_gave_before_it_was_fused(tmp_path):
    """ACNet, Ding et al. 2019, arXiv:1908.03930, section 3.3: BatchNorm multiplied into kernels."""
    golden, facts = read(FOLDER / "resnet_b.npz")
    about = facts["cases"][RESNET]
    values = drawn_arrays(keys_of("paddle", "ResNet50"), gain=about["gain"], is_paddle=True)
    old = dict(zip(keys_of("paddle_static", "ResNet50"), values.values(), strict=True))
    path = tmp_path / "ResNet50_ACNet_deploy_pretrained.tar"
    write(path, fused(old, keys_of("paddle_static", "ResNet50_ACNet_deploy")), "paddle_tar")

    size = tuple(about["size"])
    module = hubcls.Module("resnet50_acnet_deploy_imagenet", weights=path, input_size=size)
    logits, _ = answers(module, drawn_image(*size))

    wanted = golden[f"{RESNET}/logits"]
    assert np.abs(logits - wanted).max() / wanted.std() < TOLERANCE


def fused(arrays, names):
    """The arrays under ACNet's names, BatchNorm multiplied into kernels larger than 1×1."""
    result = {name: arrays[name] for name in names if name in arrays}
    for name in names:
        layer = name.removesuffix("_acsquare_weights")
        if layer != name:
            bn = "bn_conv1" if layer == "conv1" else f"bn{layer.removeprefix('res')}"
            gamma, beta, mean, variance = (
                arrays[f"{bn}_{leaf}"].astype(np.float64)
                for leaf in ("scale", "offset", "mean", "variance")
            )
            scale = gamma / np.sqrt(variance + 1e-5)
            kernel = arrays[f"{layer}_weights"] * scale[:, None, None, None]
            result[name] = kernel.astype(np.float32)
            result[f"{layer}_acsquare_bias"] = (beta - mean * scale).astype(np.float32)
    return result


@pytest.mark.slow
def test_an_archive_with_the_names_of_torch_is_known_to_be_paddles(tmp_path):
    """ResNeXt-WSL's program has the names of torchvision, but dense kernels as Paddle lays them."""
    weights = finding.spec("resnext101_32x8d_wsl").for_weights("paddle_static").weights
    arrays = drawn_arrays(shapes_of_weights(weights), is_paddle=True)
    path = tmp_path / weights.file
    write(path, arrays, weights.format)

    module = hubcls.Module("resnext101_32x8d_wsl", weights=path, input_size=(64, 64))

    loaded = sorted(float(np.sum(np.abs(one))) for one in module.backbone.weights)
    written = (float(np.sum(np.abs(one))) for key, one in arrays.items() if "fc" not in key)
    assert loaded == pytest.approx(sorted(written), rel=1e-4)
