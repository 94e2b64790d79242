"""DistillationTask: a student learns a teacher's answers, with labels and without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from hubcls.classification.distilling import DistillationLoss
from hubcls.datasets.base import Dataset, Split
from hubcls.datasets.unlabelled import unlabelled_images
from hubcls.errors import ConfigError
from hubcls.export.bundle import Bundle, load_bundle
from hubcls.modules.module import Module
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.tasks.ingredients import Metrics
from hubcls.tasks.lessons import Lesson
from hubcls.training.run_config import RunConfig
from hubcls.writing import complete_folder


class Loaded(Protocol):
    """What `hubcls.load` gives."""

    bundle: Bundle


class DistillationTask(ImageClassifierTask):
    """`ImageClassifierTask` whose student also, or only, learns what a teacher answers.

    The teacher tells the same classes apart: a classifier that hubcls saved, or a module
    with an ImageNet head where the data set's classes are ImageNet's. Evaluation, reports
    and the saved model are those of the student alone.

    Example:
        task = hubcls.DistillationTask(
            teacher="big/best_model",
            student=hubcls.Module(name="mobilenet_v3_small_imagenet"),
            dataset=photos,
            unlabelled=more_photos.split("train"),
            loss=hubcls.DistillationLoss(temperature=4.0, label_weight=0.5),
        )
        task.finetune_and_eval()
    """

    def __init__(
        self,
        *,
        teacher: Module | str | Path | Bundle | Loaded,
        student: Module,
        dataset: Dataset,
        unlabelled: str | Path | Split | None = None,
        loss: DistillationLoss | None = None,
        config: RunConfig | None = None,
        metrics_choices: Metrics | None = "default",
        data_reader: ImageClassificationReader | None = None,
    ) -> None:
        """Take the parts; nothing is computed before it is needed.

        Args:
            teacher: a folder with a saved classifier, what `hubcls.load` gave, or a module
                whose weights have a classifier.
            student: the module to fine-tune.
            dataset: labelled images; validation and test are measured on them.
            unlabelled: more training images, whose labels, if any, do not count: a split, or
                a folder or list file for `hubcls.datasets.unlabelled_images`.
            loss: how answers are compared; None is DistillationLoss(), which needs no
                labels.
            config: as in `ImageClassifierTask`.
            metrics_choices: likewise.
            data_reader: likewise. Without augmentation the teacher answers once for each
                image, else at every step to what the student sees.

        Raises:
            ConfigError: the teacher tells other classes apart, or has none.
            BundleError: the folder holds no classifier.
            DataError: unlabelled images are missing.
        """
        super().__init__(
            module=student,
            dataset=dataset,
            config=config,
            metrics_choices=metrics_choices,
            data_reader=data_reader,
        )
        _refuse_other_losses(self.config)
        teacher, unlabelled = _absolute(teacher), _absolute(unlabelled)
        lesson, names = _lesson(teacher, loss or DistillationLoss())
        _check_classes(names, self.ingredients.problem.class_names)
        self._arguments = {
            "metrics_choices": list(self.metrics),
            "teacher": teacher,
            "unlabelled": unlabelled,
            "loss": lesson.loss,
        }
        if isinstance(unlabelled, str | Path):
            unlabelled = unlabelled_images(unlabelled)
        self.ingredients = replace(self.ingredients, lesson=replace(lesson, unlabelled=unlabelled))


def _absolute(given: Any) -> Any:
    return Path(given).expanduser().absolute() if isinstance(given, str | Path) else given


def _lesson(teacher: Any, loss: DistillationLoss) -> tuple[Lesson, tuple[str, ...]]:
    """What the teacher teaches, and the names of its classes."""
    if isinstance(teacher, Module):
        return Lesson(
            teacher.classifier, teacher.preprocessing, teacher.name, loss
        ), teacher.class_names
    if isinstance(teacher, Path):
        best = teacher / "best_model"
        bundle = load_bundle(best if complete_folder(best).is_dir() else teacher)
    else:
        bundle = getattr(teacher, "bundle", teacher)
    if not isinstance(bundle, Bundle):
        raise ConfigError(
            "teacher must be a folder with a saved classifier, what hubcls.load gave, or a "
            f"hubcls.Module whose weights have a classifier, not {teacher!r}"
        )
    if bundle.problem.is_multi_label:
        raise ConfigError("a teacher of several classes an image cannot teach one class an image")
    name = f"{bundle.module_name} ({len(bundle.class_names)} classes)"
    return Lesson(bundle.model, bundle.preprocessing, name, loss), bundle.class_names


def _refuse_other_losses(config: RunConfig) -> None:
    given = {
        "class_weights": config.class_weights is not None,
        "loss": config.loss != "cross_entropy",
        "label_smoothing": config.label_smoothing != 0,
    }
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise ConfigError(
            f"RunConfig's {', '.join(wrong)} would have no effect beside a teacher: say it by "
            "DistillationTask(loss=hubcls.DistillationLoss(...))"
        )


def _check_classes(of_teacher: tuple[str, ...], of_dataset: tuple[str, ...]) -> None:
    if of_teacher != of_dataset:
        told, wanted = (
            f"{len(names)} ({', '.join(names[:4])}, …)" for names in (of_teacher, of_dataset)
        )
        raise ConfigError(
            f"the teacher's classes are {told}, the data set's {wanted}; both need the same "
            "names in the same order"
        )
