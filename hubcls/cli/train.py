"""`hubcls train`: from flags to constructor calls, and the result in a few lines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubcls.cli.parsing import given
from hubcls.cli.tables import columns, fields
from hubcls.datasets.opening import open_dataset
from hubcls.evaluation.evaluating import Evaluation
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.registry import Table
from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.training.run_config import RunConfig

STRATEGIES = Table(
    "strategy",
    {
        "adam_weight_decay": "hubcls.strategies.default:AdamWeightDecayStrategy",
        "auto": "hubcls.strategies.auto:AutoFinetuneStrategy",
        "default": "hubcls.strategies.default:DefaultStrategy",
        "default_finetune": "hubcls.strategies.default:DefaultFinetuneStrategy",
        "l2sp": "hubcls.strategies.l2sp:L2SPFinetuneStrategy",
        "scheduled": "hubcls.strategies.scheduled:ScheduledStrategy",
        "ulmfit": "hubcls.strategies.ulmfit:ULMFiTStrategy",
    },
)
RUN_FLAGS = (
    "batch_size",
    "checkpoint_dir",
    "class_weights",
    "distribution",
    "early_stopping",
    "ema",
    "eval_interval",
    "freeze",
    "gradient_accumulation",
    "label_smoothing",
    "log_interval",
    "loss",
    "loss_scale",
    "max_seconds",
    "mixed_precision",
    "num_epoch",
    "resume",
    "save_ckpt_interval",
    "seed",
    "use_cuda",
    "use_data_parallel",
)


def run(arguments: argparse.Namespace) -> None:
    """Fine-tune, measure, and say where everything lies."""
    if getattr(arguments, "use_cuda", True) is False:
        # Later TensorFlow would have taken the GPU already, to build the module on.
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    task = build_task(arguments)
    results = task.finetune_and_eval()
    print(summary(results, task.config.folder))


def build_task(arguments: argparse.Namespace) -> ImageClassifierTask:
    """The task that the flags describe."""
    dataset = open_dataset(arguments.dataset, **given(arguments, ["on_error"]))
    config = RunConfig(**given(arguments, RUN_FLAGS), **_strategy(arguments))
    if hasattr(arguments, "train_examples"):
        dataset = dataset.with_train_examples(arguments.train_examples, seed=config.seed)
    module = Module(name=arguments.module, **_module_options(arguments))
    options = given(arguments, ["hidden_units", "dropout"])
    if hasattr(arguments, "metrics"):
        options["metrics_choices"] = arguments.metrics
    if hasattr(arguments, "augmentation"):
        options["data_reader"] = ImageClassificationReader(
            module.get_expected_image_width(),
            module.get_expected_image_height(),
            dataset=dataset,
            data_augmentation=arguments.augmentation,
        )
    return ImageClassifierTask(module=module, dataset=dataset, config=config, **options)


def summary(results: Mapping[str, Evaluation], folder: Path) -> str:
    """Scores of every split, and the files of the run."""
    rows = [["split", "images", "loss", *next(iter(results.values())).scores]]
    for phase, evaluation in results.items():
        figures = [evaluation.loss, *evaluation.scores.values()]
        rows.append([phase, str(evaluation.num_examples), *(f"{value:.4f}" for value in figures)])
    places = fields(
        [
            ("best model", f"{folder / 'best_model'}"),
            ("report", f"{folder / 'report.json'}, {folder / 'report.png'}"),
            ("curves", f"tensorboard --logdir {folder / 'visualization'}"),
            ("use it", f"hubcls predict IMAGE_OR_FOLDER --checkpoint {folder}"),
        ]
    )
    return f"{columns(rows, right=range(1, len(rows[0])))}\n\n{places}"


def _strategy(arguments: argparse.Namespace) -> dict[str, Any]:
    options = given(arguments, ["learning_rate"])
    if not options and not hasattr(arguments, "strategy"):
        return {}
    return {"strategy": STRATEGIES[getattr(arguments, "strategy", "auto")](**options)}


def _module_options(arguments: argparse.Namespace) -> dict[str, Any]:
    options = given(arguments, ["input_size", "weights"])
    if options.get("weights") == "none":
        options["weights"] = None
    return options
