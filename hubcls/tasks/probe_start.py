"""Begin a run from the best linear head on the pretrained features."""

from __future__ import annotations

import keras
import numpy as np

from hubcls.classification.classifier import head_input, is_linear_head, set_linear_head
from hubcls.datasets.base import Split
from hubcls.features.cutting import Trunk, trunk_at
from hubcls.features.passing import features_of
from hubcls.inference.outputs import compute_outputs
from hubcls.logs import logger
from hubcls.pipeline.building import evaluation_batches
from hubcls.tasks.assembling import Assembly
from hubcls.tasks.ingredients import Ingredients
from hubcls.training.probing import FeatureRows, solve_probe


def start_from_probe(assembly: Assembly, ingredients: Ingredients) -> bool:
    """Solve a logistic regression on frozen features and put it into the head.

    The features are those of unaugmented images, each computed once.

    Returns:
        Whether it was done: not for a head with hidden units, nor without a validation
        split to choose the regularisation on. The log says so then.
    """
    if not is_linear_head(assembly.classifier) or ingredients.head_layers:
        logger.info("no linear probe: the head is not linear; fine-tuning starts from its draw")
        return False
    if not ingredients.dataset.has("val"):
        logger.info("no linear probe: the data set has no validation split")
        return False

    classifier = assembly.classifier
    trunk = trunk_at(classifier, head_input(classifier))

    def of(phase: str, split: Split) -> tuple[FeatureRows, np.ndarray]:
        title = f"linear probe: features of {phase}"
        return _features(assembly, ingredients, trunk, split, title=title), split.labels

    probe = solve_probe(
        of("train", ingredients.dataset.split("train")),
        of("val", ingredients.dataset.split("val")),
        num_classes=ingredients.problem.num_classes,
        class_weights=assembly.class_weights,
    )
    set_linear_head(assembly.classifier, probe.kernel, probe.bias)
    logger.info(
        "linear probe solved: C=%g, validation log loss %.4f", probe.strength, probe.val_log_loss
    )
    return True


def _features(
    assembly: Assembly, ingredients: Ingredients, trunk: Trunk | None, split: Split, *, title: str
) -> FeatureRows:
    """What the head sees of a split's images, float32 [N, D]."""
    preprocessing = ingredients.preprocessing
    if trunk is not None and assembly.devices.num_replicas_in_sync == 1:
        kept = features_of(trunk, split, preprocessing, title=title)
        if kept is not None:
            return kept
    with assembly.devices.scope():
        body = keras.Model(assembly.classifier.input, head_input(assembly.classifier))
    batches = evaluation_batches(split, preprocessing, batch_size=assembly.stream.batch_size)
    return compute_outputs(body, batches, len(split), title=title)
