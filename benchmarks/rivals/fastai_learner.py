"""fastai: `vision_learner`'s defaults on the same body, `fine_tune` and `fit_one_cycle`."""

from __future__ import annotations

from pathlib import Path

import torch
import torch_timm
from answering import Figures, Settings, Watch, answer
from fastai.callback.channelslast import ChannelsLast
from fastai.vision.all import (
    Flip,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    ResizeMethod,
    accuracy,
    vision_learner,
)


def learner(settings: Settings) -> Learner:
    """A learner whose body has hubcls' weights; flipped, and cropped unless told to "squish"."""
    dls = ImageDataLoaders.from_folder(
        Path(settings["photographs"]),
        train="train",
        valid="val",
        bs=settings["batch_size"],
        item_tfms=Resize(224, method=settings.get("resize", ResizeMethod.Crop)),
        batch_tfms=[Flip(), Normalize.from_stats([127 / 255] * 3, [128 / 255] * 3, cuda=False)],
        num_workers=torch_timm.CORES,
        device=torch.device("cpu"),
    )
    learn = vision_learner(
        dls,
        "tf_efficientnet_lite0",
        pretrained=False,
        normalize=False,
        metrics=accuracy,
        cbs=[ChannelsLast()],
    )
    # `vision_learner` wraps timm's body, and freezes only what it takes to be pretrained.
    state = torch_timm.body(settings, 0).state_dict()
    missing, _ = learn.model[0].model.load_state_dict(state, strict=False)
    if missing:
        raise ValueError(f"weights do not fit: {missing}")
    learn.freeze()
    return learn


def reached(learn: Learner) -> float:
    """The last epoch's accuracy on validation."""
    return float(learn.recorder.values[-1][-1])


def frozen(settings: Settings) -> Figures:
    """T1: the head by `fit_one_cycle`; fastai looks at the validation images every epoch."""
    watch = Watch()
    learn = learner(settings)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(settings["epochs"])
    return {"value": watch.seconds, "accuracy": reached(learn)}


def fine_tune(settings: Settings) -> Figures:
    """T5: `fine_tune`: an epoch for the head, then as many as asked for all layers."""
    watch = Watch()
    learn = learner(settings)
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(settings["epochs"])
    return {"value": watch.seconds, "accuracy": reached(learn)}


if __name__ == "__main__":
    torch.set_num_threads(torch_timm.CORES)
    torch.manual_seed(0)
    answer({"frozen": frozen, "fine_tune": fine_tune}, ("fastai", "torch", "timm"))
