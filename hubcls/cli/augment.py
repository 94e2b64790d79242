"""`hubcls augment`: what augmentation makes of a data set's images, on one picture."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from hubcls.cli.configs import config_of
from hubcls.cli.parsing import given
from hubcls.datasets.base import Split
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation, draws
from hubcls.images.operations.table import OPERATIONS, plain_values
from hubcls.images.sheets import contact_sheet
from hubcls.pipeline.building import evaluation_batches
from hubcls.pipeline.sources import source_of
from hubcls.preprocessing import Preprocessing
from hubcls.seeding import derived_seed


def run(arguments: argparse.Namespace) -> None:
    """Draw the contact sheet and say where it is."""
    out = Path(arguments.out)
    if out.suffix.lower() not in Image.registered_extensions():
        raise ConfigError(f"--out must end in .png, .jpg or .webp, not in {out.suffix!r}")
    config = config_of(arguments)
    if config.module is None:
        raise ConfigError("a config without its module says no image size; add --module NAME")
    dataset = config.open_dataset()
    reader = config.reader(dataset)
    usual = reader.augmentation(dataset.info) or Augmentation(False, min_area=1.0)
    has_config = hasattr(arguments, "config") or hasattr(arguments, "override")
    chosen: Any = usual.operations if has_config else OPERATIONS
    chosen = getattr(arguments, "operations", chosen)
    sheet = augmentation_sheet(
        dataset.split("train"),
        reader.preprocessing(config.module.preprocessing, dataset.info),
        replace(usual, operations=tuple(chosen)),
        seed=config.run.seed,
        **given(arguments, ["num_images"]),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(f"{out}: {sheet.width} x {sheet.height} pixels")


def augmentation_sheet(
    split: Split,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    num_images: int = 6,
    seed: int = 0,
) -> Image.Image:
    """A row an image; the original, its crop and flip, and each operation on the original.

    Args:
        split: the images; some are drawn.
        preprocessing: what every image goes through.
        augmentation: what to show; no column of a crop where it neither crops nor flips.
        num_images: rows.
        seed: of the images and of all that happens to them.

    Raises:
        ConfigError: num_images is below 1.
    """
    if num_images < 1:
        raise ConfigError(f"num_images must be 1 or more, not {num_images}")
    chosen = np.random.default_rng(seed).permutation(len(split))[:num_images]
    shown, rows = split.subset(chosen), range(len(chosen))
    originals = next(iter(evaluation_batches(shown, preprocessing, batch_size=len(rows))))
    columns = {"original": originals.numpy()}
    if augmentation.horizontal_flip or augmentation.min_area < 1:
        source = source_of(shown, preprocessing)
        chance = draws(tf.constant([[seed, row] for row in rows]))
        crops = [source.load_augmented(row, augmentation, chance[row]) for row in rows]
        columns["crop and flip"] = np.stack(crops)
    for each in augmentation.operations:
        name = plain_values(each)["name"]
        seeds = tf.constant([[derived_seed(seed, name), row] for row in rows], tf.int64)
        changed, _ = each(originals, tf.zeros([len(rows), 1]), seeds)
        columns[name] = changed.numpy()
    return contact_sheet(columns)
