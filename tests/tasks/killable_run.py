"""One fine-tuning with everything random in it; prints each step, saves the end.

Usage: python killable_run.py CHECKPOINT_DIR RESULT.npz
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from conftest import small_backbone, striped_dataset

import hubcls
from hubcls.backbones.layers import ResidualSum
from hubcls.images.augmenting import Augmentation
from hubcls.pipeline.reader import ImageClassificationReader


def main(folder: str, result: str) -> None:
    data = striped_dataset(train=40)
    features = small_backbone().output
    branch = keras.layers.Conv2D(16, 1, name="branch")(features)
    task = hubcls.ImageClassifierTask(
        feature=ResidualSum(0.5, name="sum")([features, branch]),
        data_reader=ImageClassificationReader(
            16, 16, data, augmentation=Augmentation(horizontal_flip=True, min_area=0.5)
        ),
        dropout=0.3,
        config=hubcls.RunConfig(
            checkpoint_dir=folder,
            batch_size=6,
            num_epoch=3,
            save_ckpt_interval=2,
            eval_interval=5,
            log_interval=3,
            ema=0.9,
            label_smoothing=0.1,
            class_weights="balanced",
            strategy=hubcls.CombinedStrategy(
                learning_rate=0.01,
                scheduler={"warmup": 0.2, "gradual_unfreeze": {"blocks": 2}},
                regularization={"L2SP": 0.01},
                clip={"GlobalNorm": 1.0},
                batch_norm="train",
            ),
        ),
    )
    task.add_hook(
        "run_step_event", "print", lambda task, state: print("step", state.step, flush=True)
    )
    task.finetune_and_eval()
    arrays = [
        np.asarray(v) for v in (*task.classifier.variables, *task.classifier.optimizer.variables)
    ]
    scores = [[score.step, *score.scores.values()] for score in task.progress.evaluations]
    curves = [
        [value for name, value in row.items() if name != "seconds"] for row in task.progress.history
    ]
    np.savez(
        result,
        *arrays,
        scores=np.array(scores),
        curves=np.array(curves, dtype=object),
        allow_pickle=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
