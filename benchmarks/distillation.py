"""A small network on 2,000 labelled Fashion-MNIST images: alone, and taught on 10,000 more.

The teacher is `efficientnet_lite0_imagenet`, fine-tuned on the same 2,000 labels. Student
and student alone are the same network with random weights and take about as many steps,
at the same rates, without augmentation; only what they learn from differs. The means over
the seeds of the accuracy on the 10,000 test images go into docs/benchmarks.md.

    python benchmarks/distillation.py --work /tmp/distillation
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from pages import store, where_measured

import hubcls
from hubcls.datasets import Dataset, FashionMNIST, Split
from hubcls.strategies import ScheduledStrategy

LABELLED, UNLABELLED, BATCH = 2_000, 10_000, 64
EPOCHS = 4  # over all images; as many steps over the labelled ones
STUDENT, SIZE = "resnet20_cifar", 28


def data() -> tuple[Dataset, Split]:
    """Labelled images with validation and test; the others without their labels."""
    whole = FashionMNIST()
    pool = whole.with_train_examples(LABELLED + UNLABELLED).split("train")
    order = np.random.default_rng(0).permutation(len(pool))
    splits = {phase: whole.split(phase) for phase in ("val", "test")}
    splits["train"] = pool.subset(np.sort(order[:LABELLED]))
    others = pool.subset(np.sort(order[LABELLED:]))
    hidden = replace(others, labels=np.full(len(others), -1, np.int64))
    return Dataset(whole.info, splits), hidden


def settings(folder: Path, images: int, seed: int) -> hubcls.RunConfig:
    """About as many steps, at the same rates, however many images there are."""
    steps = -(-(LABELLED + UNLABELLED) // BATCH) * EPOCHS
    epochs = steps // -(-images // BATCH)
    return hubcls.RunConfig(
        num_epoch=epochs,
        batch_size=BATCH,
        checkpoint_dir=folder,
        seed=seed,
        eval_interval=steps // 4,
        log_interval=steps // 4,
        strategy=ScheduledStrategy(
            0.1, "momentum", "one_cycle", nesterov=True, regularization={"L2": 5e-4}
        ),
    )


def student() -> hubcls.Module:
    """The small network, with random weights."""
    return hubcls.Module(name=STUDENT, weights=None, input_size=SIZE)


def alone(work: Path, seed: int) -> float:
    """Test accuracy of the student on the labelled images."""
    task = hubcls.ImageClassifierTask(
        module=student(),
        dataset=data()[0],
        data_reader=hubcls.reader.ImageClassificationReader(data_augmentation=False),
        config=settings(work / f"alone_{seed}", LABELLED, seed),
    )
    return accuracy(task)


def taught(work: Path, seed: int) -> float:
    """Test accuracy of the student after its teacher's answers to all images."""
    dataset, others = data()
    task = hubcls.DistillationTask(
        teacher=work / "teacher",
        student=student(),
        dataset=dataset,
        unlabelled=others,
        loss=hubcls.DistillationLoss(temperature=2.0, label_weight=0.2),
        data_reader=hubcls.reader.ImageClassificationReader(data_augmentation=False),
        config=settings(work / f"taught_{seed}", LABELLED + UNLABELLED, seed),
    )
    return accuracy(task)


def teacher(work: Path) -> float:
    """Test accuracy of the teacher, by the default strategy; done before, it is read back."""
    report = work / "teacher" / "report.json"
    if report.exists():
        scores = json.loads(report.read_text(encoding="utf-8"))["evaluations"]["test"]["scores"]
        return float(scores["acc"])
    task = hubcls.ImageClassifierTask(
        module=hubcls.Module(name="efficientnet_lite0_imagenet"),
        dataset=data()[0],
        config=hubcls.RunConfig(num_epoch=2, checkpoint_dir=work / "teacher"),
    )
    return accuracy(task)


def accuracy(task: hubcls.ImageClassifierTask) -> float:
    """Of the run's best model on the test images."""
    found: float = task.finetune_and_eval()["test"].scores["acc"]
    keras.backend.clear_session()
    return found


def main() -> None:
    """Train the teacher and all students, print and store the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the runs")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    of_teacher = teacher(arguments.work)
    variants = {
        f"student alone, {LABELLED:,} labelled": alone,
        f"student taught, {LABELLED:,} labelled and {UNLABELLED:,} not": taught,
    }
    rows = [f"| teacher, {LABELLED:,} labelled | {of_teacher:.4f} |"]
    for name, measure in variants.items():
        found = [measure(arguments.work, seed) for seed in range(arguments.seeds)]
        spread = f" ± {statistics.stdev(found):.4f}" if arguments.seeds > 1 else ""
        rows.append(f"| {name} | {statistics.mean(found):.4f}{spread} |")
        print(rows[-1], flush=True)
    head = [f"| network | test accuracy, {arguments.seeds} seeds |", "|---|---|"]
    store("benchmarks.md", "distillation", "\n".join([where_measured(), "", *head, *rows]))


if __name__ == "__main__":
    main()
