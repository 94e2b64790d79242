"""Two Fashion-MNIST images side by side, with both labels: the losses of multi-label runs.

2,000 pairs for training, 500 for validation and 2,000 of the test images. The scores on
the test pairs go into docs/benchmarks.md; thresholds were chosen on the validation pairs.

    python benchmarks/multi_label.py --work /tmp/multi_label
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from pages import store, where_measured

import hubcls
from hubcls.datasets import Dataset, FashionMNIST, Split
from hubcls.datasets.base import DatasetInfo, LabelKeeping

PAIRS = {"train": 2_000, "val": 500, "test": 2_000}
METRICS = ("map", "micro_f1", "f1", "exact_match", "hamming_loss")
LOSSES = ("cross_entropy", "focal", "asymmetric")


def pairs(split: Split, count: int, seed: int) -> Split:
    """`count` pictures of two images, 56 pixels square, and both labels [count, 10]."""
    left, right = np.random.default_rng(seed).integers(0, len(split), (2, count))
    images = np.asarray(split.images)
    square = np.zeros((count, 56, 56, 1), np.uint8)
    square[:, 14:42, :28], square[:, 14:42, 28:] = images[left], images[right]
    labels = np.zeros((count, 10), np.int64)
    for side in (left, right):
        labels[np.arange(count), split.labels[side]] = 1
    return Split(square, labels)


def data() -> Dataset:
    """Pairs of each split's own images."""
    whole = FashionMNIST()
    info = DatasetInfo(
        "fashion_mnist_pairs",
        whole.info.class_names,
        is_multi_label=True,
        keeps_label=LabelKeeping(random_crop=False),
    )
    splits = {
        phase: pairs(whole.split(phase), count, seed)
        for seed, (phase, count) in enumerate(PAIRS.items())
    }
    return Dataset(info, splits)


def main() -> None:
    """Run each loss, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    arguments = parser.parse_args()
    rows = [
        f"| loss | {' | '.join(METRICS)} |",
        f"|---|{'---|' * len(METRICS)}",
    ]
    for loss in LOSSES:
        task = hubcls.MultiLabelClassifierTask(
            module=hubcls.Module(name="efficientnet_lite0_imagenet", input_size=128),
            dataset=data(),
            metrics_choices=METRICS,
            config=hubcls.RunConfig(num_epoch=2, loss=loss, checkpoint_dir=arguments.work / loss),
        )
        scores = task.finetune_and_eval()["test"].scores
        keras.backend.clear_session()
        cells = " | ".join(f"{scores[name]:.4f}" for name in METRICS)
        rows.append(f"| `{loss}` | {cells} |")
        print(rows[-1], flush=True)
    store("benchmarks.md", "multi-label", "\n".join([where_measured(), "", *rows]))


if __name__ == "__main__":
    main()
