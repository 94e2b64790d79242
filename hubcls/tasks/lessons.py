"""What a student learns from: its teacher's logits, computed once or at every step."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.classification.distilling import DistillationLoss, TaughtClassifier
from hubcls.classification.rebuilding import rebuilt
from hubcls.datasets.base import Split
from hubcls.inference.outputs import compute_outputs
from hubcls.logs import logger
from hubcls.pipeline.building import TrainingStream, evaluation_batches
from hubcls.preprocessing import Preprocessing

_MOST_CACHED_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Lesson:
    """A teacher, and how its answers count.

    Attributes:
        teacher: images 0–255 to logits of the student's classes.
        preprocessing: how an image becomes the teacher's input.
        teacher_name: for config.yaml.
        loss: compares student, teacher and labels.
        unlabelled: more images to learn from; their labels do not count.
    """

    teacher: keras.Model
    preprocessing: Preprocessing
    teacher_name: str
    loss: DistillationLoss
    unlabelled: Split | None = None

    def joined_to(self, labelled: Split) -> Split:
        """The labelled images and then the others, whose labels are -1.

        Raises:
            DataError: one holds files and the other arrays, or arrays of another size.
        """
        if self.unlabelled is None:
            return labelled
        nothing = np.full(len(self.unlabelled), -1, np.int64)
        return labelled.joined(replace(self.unlabelled, labels=nothing))

    @functools.cached_property
    def _teacher_hash(self) -> str:
        digest = hashlib.sha256(repr(self.preprocessing).encode())
        for weight in self.teacher.get_weights():
            digest.update(np.ascontiguousarray(weight).data)
        return digest.hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """What makes it this lesson, as plain types."""
        return {
            "teacher": self.teacher_name,
            "teacher_sha256": self._teacher_hash,
            **asdict(self.loss),
            "unlabelled": 0 if self.unlabelled is None else len(self.unlabelled),
        }


def with_lesson(
    classifier: keras.Model, stream: TrainingStream, lesson: Lesson, policy: str
) -> tuple[keras.Model, TrainingStream]:
    """Classifier and stream, one of which brings the teacher's logits along.

    Where training shows every image as it is, each goes through the teacher once, in the
    teacher's own size; otherwise the teacher answers at every step to what the student sees.
    Call it in the distribution strategy's scope.
    """
    teacher = rebuilt(lesson.teacher, policy)
    count = len(stream.split) * stream.num_classes * 4
    if stream.augmentation is None and count <= _MOST_CACHED_BYTES:
        batches = evaluation_batches(
            stream.split, lesson.preprocessing, batch_size=stream.batch_size
        )
        logits = compute_outputs(teacher, batches, len(stream.split), title="the teacher's answers")
        return classifier, replace(stream, taught=logits)
    logger.info("the teacher answers at every step, for training images are changed at random")
    return TaughtClassifier(classifier, _teaching(teacher, lesson.preprocessing)), stream


def _teaching(teacher: keras.Model, rule: Preprocessing) -> Callable[[Any], Any]:
    def teach(images: Any) -> Any:
        pixels = tf.cast(images, tf.float32)
        if tuple(images.shape[1:3]) != (rule.height, rule.width):
            pixels = tf.image.resize(pixels, (rule.height, rule.width), antialias=True)
        return teacher(pixels, training=False)

    return teach
