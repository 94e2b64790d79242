"""PyTorch and timm in a plain loop: channels-last, all cores, as many workers as cores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from answering import (
    Figures,
    Settings,
    Watch,
    accuracy_of,
    answer,
    milliseconds,
    rates,
    write_classes,
)
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2

CORES = len(os.sched_getaffinity(0))
SIZE = (224, 224)
# Keras' names of a layer's variables, and torch's.
LEAVES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
RESIZED = v2.Resize(SIZE, antialias=True)
FLIPPED = v2.Compose([RESIZED, v2.RandomHorizontalFlip()])
DRAWN = v2.Compose(
    [
        v2.RandomResizedCrop(SIZE, scale=(0.35, 1), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
    ]
)


def loader(settings: Settings, folder: Path, transform: v2.Transform, *, trains: bool) -> Any:
    """Batches of uint8 images and labels, decoded by torchvision in worker processes."""
    return torch.utils.data.DataLoader(
        ImageFolder(str(folder), transform, loader=decoded),
        settings["batch_size"],
        shuffle=trains,
        num_workers=CORES,
        persistent_workers=True,
    )


def decoded(path: str) -> torch.Tensor:
    """uint8 [3, H, W], RGB."""
    return decode_image(path, ImageReadMode.RGB)


def body(settings: Settings, num_classes: int) -> torch.nn.Module:
    """Lite0 with hubcls' weights, or ResNet-50 with random ones; normalised as there."""
    if settings["network"] != "lite0":
        return timm.create_model("resnet50", num_classes=num_classes)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=num_classes)
    kept = np.load(Path(settings["prepared"]) / "lite0.npz")
    state = dict(as_torch(path, kept[path]) for path in kept.files)
    missing, unexpected = model.load_state_dict(state, strict=False)
    strange = [name for name in missing if "classifier" not in name and "num_batches" not in name]
    if strange or unexpected:
        raise ValueError(f"weights do not fit: {strange} {unexpected}")
    return model


def as_torch(path: str, array: np.ndarray) -> tuple[str, torch.Tensor]:
    """A variable of Keras under the name and in the layout of torch."""
    layer, leaf = path.rsplit("/", 1)
    if leaf == "kernel":
        array = array.transpose(2, 3, 0, 1) if "conv_dw" in layer else array.transpose(3, 2, 0, 1)
    return f"{layer}.{LEAVES[leaf]}", torch.from_numpy(np.ascontiguousarray(array))


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 [B, 3, H, W] to float, channels last."""
    return ((pixels.float() - 127) / 128).to(memory_format=torch.channels_last)


@contextlib.contextmanager
def precision(settings: Settings) -> Iterator[None]:
    """bfloat16 where the settings say so."""
    with torch.autocast("cpu", torch.bfloat16, enabled=settings["bfloat16"]):
        yield


def trained(model: torch.nn.Module, batches: Any, settings: Settings, watch: Watch) -> None:
    """The plain loop, with Adam and cross-entropy."""
    open_ones = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(open_ones, settings["learning_rate"])
    steps = 0
    for _ in range(settings["epochs"]):
        for pixels, labels in batches:
            optimizer.zero_grad()
            with precision(settings):
                loss = torch.nn.functional.cross_entropy(model(normalised(pixels)), labels)
            loss.backward()
            optimizer.step()
            steps += 1
            if steps >= settings["warm_up_steps"]:
                watch.mark(steps * settings["batch_size"])


@torch.inference_mode()
def accuracy(model: torch.nn.Module, settings: Settings) -> float:
    """On the validation images."""
    batches = loader(settings, Path(settings["photographs"]) / "val", RESIZED, trains=False)
    model.eval()
    right = seen = 0
    for pixels, labels in batches:
        with precision(settings):
            right += int((model(normalised(pixels)).argmax(1) == labels).sum())
        seen += len(labels)
    return right / seen


def frozen(settings: Settings) -> Figures:
    """T1: the body in evaluation mode without gradients, the head trains."""
    watch = Watch()
    batches = loader(settings, Path(settings["photographs"]) / "train", FLIPPED, trains=True)
    model = body(settings, len(batches.dataset.classes)).to(memory_format=torch.channels_last)
    model.eval()
    model.requires_grad_(False)
    model.get_classifier().requires_grad_(True)
    trained(model, batches, settings, watch)
    found = accuracy(model, settings)
    return {"value": watch.seconds, "accuracy": found}


def all_layers(settings: Settings) -> Figures:
    """T2: everything trains."""
    batches = loader(settings, Path(settings["photographs"]) / "train", FLIPPED, trains=True)
    model = body(settings, len(batches.dataset.classes)).to(memory_format=torch.channels_last)
    model.train()
    watch = Watch()
    trained(model, batches, settings, watch)
    found = accuracy(model, settings) if settings["evaluates"] else None
    return {"value": watch.rate(), "accuracy": found}


def stream(settings: Settings) -> Figures:
    """T3: random resized crop, flip and colour jitter of the DataLoader."""
    batches = loader(settings, Path(settings["folder"]), DRAWN, trains=True)
    return rates(lambda _: batches, settings)


def with_head(settings: Settings) -> tuple[torch.nn.Module, list[str]]:
    """The network with the head that hubcls has trained."""
    head = np.load(Path(settings["prepared"]) / "head.npz")
    model = body(settings, len(head["bias"])).to(memory_format=torch.channels_last).eval()
    last = model.get_classifier()
    last.weight.data = torch.from_numpy(np.ascontiguousarray(head["kernel"].T))
    last.bias.data = torch.from_numpy(head["bias"])
    return model, [str(name) for name in head["class_names"]]


@torch.inference_mode()
def folder(settings: Settings) -> Figures:
    """T4: every image of a folder into a CSV; the whole process counts."""
    model, class_names = with_head(settings)
    batches = loader(settings, Path(settings["folder"]), RESIZED, trains=False)
    classes: list[int] = []
    for pixels, _ in batches:
        with precision(settings):
            classes += model(normalised(pixels)).argmax(1).tolist()
    out = str(Path(settings["scratch"]) / "classes.csv")
    paths = [path for path, _ in batches.dataset.samples]
    write_classes(out, paths, [class_names[number] for number in classes])
    return {"accuracy": accuracy_of(out)}


@torch.inference_mode()
def single(settings: Settings) -> Figures:
    """T4: one photograph."""
    model, class_names = with_head(settings)

    def predict(path: str) -> str:
        with precision(settings):
            logits = model(normalised(RESIZED(decoded(path))[None]))
        return class_names[int(logits.argmax())]

    return milliseconds(predict, settings)


@torch.inference_mode()
def features(settings: Settings) -> Figures:
    """How far the pooled features of some photographs are from hubcls' own."""
    kept = np.load(Path(settings["prepared"]) / "features.npz")
    model = body(settings, 0).to(memory_format=torch.channels_last).eval()
    pooled = model(normalised(torch.from_numpy(kept["pixels"]).permute(0, 3, 1, 2))).numpy()
    return {"value": float(np.abs(pooled - kept["features"]).max())}


if __name__ == "__main__":
    torch.set_num_threads(CORES)
    torch.manual_seed(0)
    answer(
        {
            "frozen": frozen,
            "all_layers": all_layers,
            "stream": stream,
            "folder": folder,
            "single": single,
            "features": features,
        },
        ("torch", "torchvision", "timm"),
    )
