"""MultiLabelClassifierTask: every class that an image shows, not the one that fits best."""

from __future__ import annotations

from hubcls.tasks.image_classifier import ImageClassifierTask


class MultiLabelClassifierTask(ImageClassifierTask):
    """`ImageClassifierTask` for data sets whose images show several classes, or none.

    Each class has a sigmoid of its own. The main metric is "map", the mean over the classes
    of the average precision (PaddleHub: "auc"). Thresholds are chosen class by class on the
    validation split, for the best F1, when the best model is saved, and stay with it:
    `Prediction.labels` holds every class that reaches its own.

    Example:
        task = hubcls.MultiLabelClassifierTask(
            module=hubcls.Module(name="efficientnet_lite0_imagenet"),
            dataset=hubcls.datasets.ImageTable("scenes.csv"),
            config=hubcls.RunConfig(checkpoint_dir="ckpt", loss="asymmetric"),
        )
        task.finetune_and_eval()
        [name for name, _ in task.predict(["beach.jpg"])[0].labels]
    """

    _is_multi_label = True
