"""From ingredients and settings to a compiled classifier, ready for its first step."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from hubcls.classification.classifier import build_classifier, head_layer_names
from hubcls.classification.rebuilding import rebuilt
from hubcls.errors import ConfigError, DataError
from hubcls.pipeline.building import TrainingStream
from hubcls.strategies.base import Plan, PlanRequest, TrainableGroup
from hubcls.strategies.loss_scaling import AgreedLossScaling
from hubcls.strategies.optimizers import check_for_replicas
from hubcls.tasks.ingredients import Head, Ingredients
from hubcls.tasks.lessons import with_lesson
from hubcls.tasks.run_folder import RunFolder
from hubcls.training.devices import distribution, synchronize_batch_norm
from hubcls.training.parts import TrainedPart
from hubcls.training.precision import dtype_policy
from hubcls.training.run_config import CachedViews, RunConfig
from hubcls.training.run_state import RunProgress


@dataclass(frozen=True)
class Assembly:
    """Everything that a run trains with.

    Attributes:
        classifier: images to logits, compiled on `devices` in `policy`.
        groups: every layer of the classifier that has weights, stem first, head last.
        plan: the strategy's answer to these layers and steps.
        stream: training batches; their size is the global one.
        part: what of the classifier trains, and on what.
        progress: where the run stands: at its start.
        class_weights: weight of each label in the loss.
        devices: where it runs.
        policy: the Keras dtype policy of the computation.
    """

    classifier: keras.Model
    groups: tuple[TrainableGroup, ...]
    plan: Plan
    stream: TrainingStream
    part: TrainedPart
    progress: RunProgress
    class_weights: Mapping[int, float] | None
    devices: tf.distribute.Strategy
    policy: str


def assemble(ingredients: Ingredients, config: RunConfig, head: Head) -> Assembly:
    """Build the classifier on its devices and ask the strategy for its plan."""
    # Seeds of initializers and dropout masks are drawn from Keras' global stream.
    keras.utils.set_random_seed(config.seed)
    devices = distribution(config)
    policy = dtype_policy(config, ingredients.backbone, RunFolder(config.folder).policy(config))
    stream = _stream(ingredients, config, devices.num_replicas_in_sync)
    num_epoch = config.num_epoch
    if num_epoch is None:
        num_epoch = config.finetune_strategy.num_epoch(len(stream.split), stream.batch_size)
    with devices.scope():
        classifier = _classifier(ingredients, policy, head)
        if ingredients.lesson is not None:
            classifier, stream = with_lesson(classifier, stream, ingredients.lesson, policy)
        if devices.num_replicas_in_sync > 1 and config.sync_batch_norm:
            synchronize_batch_norm(classifier)
        groups = _trainable_groups(classifier, ingredients, config.freeze)
        plan = config.finetune_strategy.plan(
            PlanRequest(
                groups=groups,
                steps_per_epoch=stream.steps_per_epoch,
                num_epoch=num_epoch,
                num_examples=len(stream.split),
                is_pretrained=ingredients.is_pretrained,
            )
        )
        _compile(classifier, plan, ingredients, config, devices.num_replicas_in_sync)
        # Every variable that any epoch trains gets its slots now: a run resumed with more
        # epochs finds them, and opening a layer later does not rebuild the optimizer.
        # Gradual unfreezing has at most as many blocks, and so epochs, as there are layers.
        most_blocks = sum(len(group.layers) for group in groups)
        classifier.optimizer.build(plan.ever_open_variables(groups, max(num_epoch, most_blocks)))
    return Assembly(
        classifier=classifier,
        groups=groups,
        plan=plan,
        stream=stream,
        part=TrainedPart(
            classifier,
            stream,
            body=[layer for group in groups if not group.is_head for layer in group.layers],
            cached_views=_cached_views(config, ingredients, stream, devices),
            compile_arguments=functools.partial(_compile_arguments, ingredients, config),
        ),
        progress=RunProgress(stream.steps_per_epoch, num_epoch),
        class_weights=_class_weights(config, ingredients),
        devices=devices,
        policy=policy,
    )


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Inside, new layers take `policy`; afterwards the process has its own again."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _classifier(ingredients: Ingredients, policy: str, head: Head) -> keras.Model:
    backbone = rebuilt(ingredients.backbone, policy, float32_layers=())
    with precision(policy):
        return build_classifier(
            backbone,
            num_outputs=ingredients.problem.num_classes,
            hidden_units=head.hidden_units,
            dropout=head.dropout,
        )


def _trainable_groups(
    classifier: keras.Model, ingredients: Ingredients, freeze: Sequence[str]
) -> tuple[TrainableGroup, ...]:
    names = [group.name for group in ingredients.groups]
    unknown = [name for name in freeze if name not in names]
    if unknown:
        raise ConfigError(
            f"freeze names no group of layers: {', '.join(unknown)}; there are {', '.join(names)}"
        )
    kept = names if ingredients.is_frozen else freeze
    body = tuple(group for group in ingredients.groups if group.name not in kept)
    for group in ingredients.groups:
        for name in group.layers:
            classifier.get_layer(name).trainable = group in body
    groups = [
        TrainableGroup(
            name=group.name,
            layers=tuple(classifier.get_layer(name) for name in group.layers),
            is_head=False,
        )
        for group in body
    ]
    head = [*ingredients.head_layers, *head_layer_names(classifier)]
    layers = tuple(
        layer for layer in map(classifier.get_layer, dict.fromkeys(head)) if layer.weights
    )
    return (*groups, TrainableGroup(name="head", layers=layers, is_head=True))


def _stream(ingredients: Ingredients, config: RunConfig, replicas: int) -> TrainingStream:
    if not ingredients.dataset.has("train"):
        raise DataError(f"{ingredients.dataset.info.name} has no training split")
    split = ingredients.dataset.split("train")
    return TrainingStream(
        split=split if ingredients.lesson is None else ingredients.lesson.joined_to(split),
        num_classes=ingredients.problem.num_classes,
        preprocessing=ingredients.preprocessing,
        batch_size=config.batch_size * replicas,
        augmentation=ingredients.augmentation,
        seed=config.seed if ingredients.data_seed is None else ingredients.data_seed,
        decoded_cache=config.decoded_cache,
        memory_limit_mb=config.memory_limit_mb,
    )


def _compile(
    classifier: keras.Model,
    plan: Plan,
    ingredients: Ingredients,
    config: RunConfig,
    replicas: int,
) -> None:
    optimizer = plan.optimizer
    if config.gradient_accumulation > 1:
        optimizer.gradient_accumulation_steps = config.gradient_accumulation
    if replicas > 1:
        check_for_replicas(optimizer)
    if config.ema is not None:
        optimizer.use_ema, optimizer.ema_momentum = True, config.ema
    if any(layer.compute_dtype == "float16" for layer in classifier.layers):
        optimizer = _with_loss_scale(optimizer, config.loss_scale)
    # The optimizer has its loss scale already, and goes as it is to each part that trains.
    classifier.compile(optimizer=optimizer, **_compile_arguments(ingredients, config))


def _compile_arguments(ingredients: Ingredients, config: RunConfig) -> dict[str, Any]:
    lesson, problem = ingredients.lesson, ingredients.problem
    return {
        "loss": lesson.loss if lesson else problem.loss(config.loss, config.label_smoothing),
        "metrics": _train_metrics(ingredients),
        "auto_scale_loss": False,
        "steps_per_execution": config.steps_per_execution,
        # XLA is 6 to 8 times slower for depthwise convolutions on a CPU, and fails under
        # MirroredStrategy.
        "jit_compile": False,
    }


def _cached_views(
    config: RunConfig,
    ingredients: Ingredients,
    stream: TrainingStream,
    devices: tf.distribute.Strategy,
) -> CachedViews:
    """The config's wish, where it can be: a part of a network is run on one device.

    Raises:
        ConfigError: views are asked for, but operations mix images.
    """
    if config.cached_views == "auto" or config.cached_views == 0:
        answers_itself = ingredients.lesson is not None and stream.taught is None
        is_possible = devices.num_replicas_in_sync == 1 and not answers_itself
        return config.cached_views if is_possible else 0
    if _mixes_targets(ingredients):
        raise ConfigError(
            "cached_views keeps what a frozen body makes of each image, but mixup and cutmix mix "
            "images anew at every step; leave one of the two out"
        )
    if ingredients.lesson is not None and stream.taught is None:
        raise ConfigError(
            "cached_views keeps features, but the teacher has to see images changed at random; "
            "leave cached_views or the augmentation out"
        )
    if devices.num_replicas_in_sync > 1:
        raise ConfigError(
            "cached_views works on one device; pass distribution='one_device', or leave it out"
        )
    if config.cached_views > 1 and stream.augmentation is None:
        raise ConfigError(
            "cached_views above 1 needs an augmentation, for without one all views are alike"
        )
    return config.cached_views


def _with_loss_scale(
    optimizer: keras.optimizers.Optimizer, loss_scale: float | str
) -> keras.optimizers.Optimizer:
    if isinstance(loss_scale, str):
        return AgreedLossScaling(optimizer)
    optimizer.loss_scale_factor = float(loss_scale)
    return optimizer


def _train_metrics(ingredients: Ingredients) -> list[keras.metrics.Metric]:
    # An accuracy against a mixture of classes says little; PaddleClas shows none either. And
    # where a teacher's logits stand among the targets, Keras' metrics would misread them.
    if ingredients.lesson or _mixes_targets(ingredients):
        return []
    return ingredients.problem.train_metrics()


def _mixes_targets(ingredients: Ingredients) -> bool:
    return ingredients.augmentation is not None and ingredients.augmentation.mixes_targets


def _class_weights(config: RunConfig, ingredients: Ingredients) -> dict[int, float] | None:
    names = ingredients.problem.class_names
    if config.class_weights is None:
        return None
    if ingredients.problem.is_multi_label:
        raise ConfigError(
            "class_weights are for one class an image; where images show several, rare classes "
            'are helped by RunConfig(loss="asymmetric")'
        )
    if _mixes_targets(ingredients):
        raise ConfigError(
            "class_weights weigh an image by its class, but mixup and cutmix give it several; "
            "leave one of the two out"
        )
    if config.class_weights == "balanced":
        counts = Counter(ingredients.dataset.split("train").labels.tolist())
        total = sum(counts.values())
        return {label: total / (len(counts) * count) for label, count in sorted(counts.items())}
    weights = dict(config.class_weights)
    unknown, missing = sorted(weights.keys() - set(names)), sorted(set(names) - weights.keys())
    if unknown or missing:
        raise ConfigError(
            f"class_weights must name every class once; unknown: {unknown or 'none'}, "
            f"missing: {missing or 'none'}; the classes are {', '.join(names)}"
        )
    return {label: float(np.float32(weights[name])) for label, name in enumerate(names)}
