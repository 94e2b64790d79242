"""hubcls, by its public interface."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from answering import Figures, Settings, Watch, accuracy_of, answer, milliseconds, rates

import hubcls

LITE0 = "efficientnet_lite0_imagenet"


class MeasuredError(Exception):
    """The figure is there; the rest of the run is not needed."""


def dataset(settings: Settings) -> hubcls.datasets.ImageFolder:
    """The photographs as they were split."""
    return hubcls.datasets.ImageFolder(settings["photographs"])


def config(settings: Settings, **own: Any) -> hubcls.RunConfig:
    """A run in a folder of its own that starts anew."""
    folder = Path(settings["scratch"]) / "run"
    shutil.rmtree(folder, ignore_errors=True)
    return hubcls.RunConfig(checkpoint_dir=folder, batch_size=settings["batch_size"], **own)


def precision(settings: Settings) -> str:
    """As the row says, or what hubcls chooses itself."""
    return "mixed_bfloat16" if settings["bfloat16"] else settings.get("mixed_precision", "auto")


# By its place: the name alone would import TensorFlow, which `hubcls predict` does in its own way.
def whole_images(settings: Settings) -> hubcls.reader.ImageClassificationReader:
    """Shows the photographs as the rivals do: stretched to 224 x 224, nothing cut off."""
    return hubcls.reader.ImageClassificationReader(dataset=dataset(settings), resize="stretch")


def evaluated(
    settings: Settings,
    own: dict[str, Any],
    *,
    reader: hubcls.reader.ImageClassificationReader | None = None,
    stops: bool = False,
) -> Figures:
    """The default script's run: seconds and accuracy of each evaluation on the way.

    Args:
        settings: of the measurement.
        own: arguments of RunConfig.
        reader: None shows the centre of images, which is the default.
        stops: end with the first evaluation.
    """
    hubcls.ImageClassifierTask, hubcls.Module  # noqa: B018 - TensorFlow's import is start-up
    watch, stamps = Watch(), []
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name=LITE0),
        dataset=None if reader else dataset(settings),
        data_reader=reader,
        config=config(settings, **own),
    )
    began: list[float] = []
    task.add_hook("build_env_end_event", "began", lambda _: began.append(watch.seconds))

    def stamp(_: Any, states: list[Any]) -> None:
        stamps.append((watch.seconds, states[0].metrics["acc"]))
        if stops:
            raise MeasuredError

    task.add_hook("eval_end_event", "stamp", stamp)
    with contextlib.suppress(MeasuredError):
        task.finetune_and_eval()
    scores = ", ".join(f"{accuracy:.3f} at {at:.1f} s" for at, accuracy in stamps)
    return {
        "stamps": stamps,
        "value": stamps[0][0],
        "accuracy": stamps[0][1],
        "whole_seconds": watch.seconds,
        "probe_phase": stamps[0][0] - began[0],
        "told": f"classifier built at {began[0]:.1f} s; accuracy {scores}",
    }


def frozen(settings: Settings) -> Figures:
    """T1: the body frozen, which is the default strategy without epochs after its probe."""
    own = {"num_epoch": 0, "mixed_precision": precision(settings)}
    return evaluated(settings, own, reader=whole_images(settings))


def script(settings: Settings) -> Figures:
    """T5: the default three steps."""
    figures = evaluated(settings, {"max_seconds": settings["max_seconds"]})
    best = max(accuracy for _, accuracy in figures["stamps"])
    return {**figures, "value": figures["whole_seconds"], "accuracy": best}


def probe(settings: Settings) -> Figures:
    """T6: the probe phase, from the classifier's being built to its first evaluation."""
    strategy = hubcls.AutoFinetuneStrategy(learning_rate=settings["learning_rate"])
    figures = evaluated(settings, {"strategy": strategy}, stops=True)
    return {**figures, "value": figures["probe_phase"]}


def all_layers(settings: Settings) -> Figures:
    """T2: one epoch of the default strategy; images a second of its steps."""
    is_real = settings["network"] == LITE0
    module = hubcls.Module(name=settings["network"], weights="imagenet" if is_real else None)
    interval = settings["warm_up_steps"]
    own = {"num_epoch": 1, "log_interval": interval, "mixed_precision": precision(settings)}
    task = hubcls.ImageClassifierTask(
        module=module, data_reader=whole_images(settings), config=config(settings, **own)
    )
    watch, found = Watch(), []
    task.add_hook(
        "log_interval_event",
        "mark",
        lambda _, states: watch.mark(states[0].step * settings["batch_size"]),
    )
    task.add_hook(
        "eval_end_event", "score", lambda _, states: found.append(states[0].metrics["acc"])
    )
    task.finetune(do_eval=settings["evaluates"])
    return {"value": watch.rate(), "accuracy": found[-1] if found else None}


def stream(settings: Settings) -> Figures:
    """T3: the batches that training gets, with crops, flips and colours drawn anew."""
    augmentation = hubcls.Augmentation(operations=({"name": "color_jitter"},))
    own = {"decoded_cache": True} if settings["cached"] else {}
    # All but a hundredth, which is the least that validation takes.
    images = hubcls.datasets.ImageFolder(settings["folder"], val_fraction=0.01, test_fraction=0)
    task = hubcls.ImageClassifierTask(
        data_reader=hubcls.reader.ImageClassificationReader(
            dataset=images, augmentation=augmentation
        ),
        module=hubcls.Module(name=LITE0),
        config=config(settings, **own),
    )
    # Training reads this very stream; nothing public gives its batches without the training.
    source = task._assembly.stream
    steps = source.steps_per_epoch
    return rates(lambda epoch: source.batches(epoch * steps, steps), settings)


def folder(settings: Settings) -> Figures:
    """T4: `hubcls predict` for a folder; the whole process counts."""
    from hubcls.cli.main import main

    out = Path(settings["scratch"]) / "classes.csv"
    with out.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        code = main(
            [
                *("predict", "--input", settings["folder"], "--csv", "--top-k", "1"),
                *("--checkpoint", settings["checkpoint"]),
                *(["--mixed-precision", precision(settings)] if settings["bfloat16"] else []),
            ]
        )
    if code:
        raise SystemExit(code)
    return {"accuracy": accuracy_of(str(out))}


def single(settings: Settings) -> Figures:
    """T4: one photograph in a warm process."""
    predictor = hubcls.load(settings["checkpoint"])
    return milliseconds(lambda path: predictor.predict(path)[0].class_name, settings)


def training_memory(settings: Settings) -> Figures:
    """T7: probe and fine-tuning within a bound of time; the process' peak counts."""
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name=LITE0, input_size=settings["input_size"]),
        dataset=hubcls.datasets.ImageFolder(settings["folder"], val_fraction=0.1, test_fraction=0),
        config=config(settings, num_epoch=1, max_seconds=settings["max_seconds"]),
    )
    task.finetune()
    return {"steps": task.progress.step}


if __name__ == "__main__":
    answer(
        {
            "frozen": frozen,
            "script": script,
            "probe": probe,
            "all_layers": all_layers,
            "stream": stream,
            "folder": folder,
            "single": single,
            "training_memory": training_memory,
        },
        ("tensorflow", "keras"),
    )
