"""What a task is made of, whichever of the two ways it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from hubcls.classification.metrics import find_metric
from hubcls.classification.multi_label import MultiLabel
from hubcls.classification.problem import Problem, SingleLabel
from hubcls.datasets.base import Dataset
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation
from hubcls.modules.groups import LayerGroup, groups_by_stride
from hubcls.modules.module import Module, module_of
from hubcls.modules.normalization import InputNormalization
from hubcls.pipeline.reader import ImageClassificationReader
from hubcls.preprocessing import Preprocessing
from hubcls.tasks.lessons import Lesson
from hubcls.tasks.repeating import Section, dataset_section, module_section, pipeline_section

Metrics = Sequence[str] | str


@dataclass(frozen=True)
class Ingredients:
    """A backbone, data, and how the one is fed with the other.

    Attributes:
        backbone: images to features, float32.
        groups: its pretrained layers, stem to last stage, by name.
        head_layers: names of layers that the user put on the module's features.
        is_pretrained: whether the groups hold weights worth keeping.
        is_frozen: no layer of the groups trains, whatever the strategy says.
        preprocessing: how an image becomes the backbone's input.
        augmentation: what training images go through on top; None is nothing.
        data_seed: of order and augmentation; None means the run's.
        dataset: examples by phase.
        problem: targets, loss and predictions.
        module: facts of the module for config.yaml and the report.
        lesson: what a teacher has to say; None without one.
        sections: module, dataset and pipeline as a config has them, or why it cannot.
    """

    backbone: keras.Model
    groups: tuple[LayerGroup, ...]
    head_layers: tuple[str, ...]
    is_pretrained: bool
    is_frozen: bool
    preprocessing: Preprocessing
    augmentation: Augmentation | None
    data_seed: int | None
    dataset: Dataset
    problem: Problem
    module: Mapping[str, Any]
    lesson: Lesson | None = None
    sections: Mapping[str, Section] = field(default_factory=dict)


@dataclass(frozen=True)
class Head:
    """What goes on top of the backbone, and how the whole is measured.

    Attributes:
        hidden_units: widths of fully connected layers before the last one.
        dropout: share of features dropped before the last layer.
        metrics: names; the first decides the best model.
    """

    hidden_units: tuple[int, ...]
    dropout: float
    metrics: tuple[str, ...]

    @classmethod
    def checked(
        cls, hidden_units: Sequence[int] | None, dropout: float, metrics: tuple[str, ...]
    ) -> Head:
        """A head of these parts.

        Raises:
            ConfigError: `hidden_units` is no sequence of whole numbers above 0.
        """
        units = () if hidden_units is None else hidden_units
        if not isinstance(units, Sequence) or any(
            type(width) is not int or width < 1 for width in units
        ):
            raise ConfigError(
                f"hidden_units must be widths such as [256] or [512, 128], not {hidden_units!r}"
            )
        return cls(tuple(units), dropout, metrics)

    def as_dict(self) -> dict[str, Any]:
        """Plain YAML types, under the names of ImageClassifierTask's arguments."""
        return {
            "hidden_units": list(self.hidden_units),
            "dropout": self.dropout,
            "metrics_choices": list(self.metrics),
        }


def gathered(
    module: Module | None,
    dataset: Dataset | None,
    feature: keras.KerasTensor | None,
    reader: ImageClassificationReader | None,
    num_classes: int | None,
) -> Ingredients:
    """The parts of either form of a task, brought together.

    Raises:
        ConfigError: a part is missing, or there is one too many.
    """
    _check_kinds(module, dataset)
    of_reader = None if reader is None else reader.dataset
    if dataset is not None and of_reader is not None and dataset is not of_reader:
        raise ConfigError(
            f"dataset is {dataset.info.name}, but data_reader brings {of_reader.info.name}; "
            "give one of them"
        )
    dataset = dataset or of_reader
    if dataset is None:
        raise ConfigError(
            "ImageClassifierTask needs a data set: dataset=..., or "
            "data_reader=ImageClassificationReader(dataset=...)"
        )
    if (module is None) == (feature is None):
        raise ConfigError(
            "ImageClassifierTask needs either module=... or PaddleHub's feature=..., not both"
        )
    was_drawn = module is not None and module.is_random and module.is_built
    if module is not None:
        found = from_module(module, dataset, reader, num_classes)
    else:
        found = from_feature(feature, dataset, reader, num_classes)
    sections = {
        "module": module_section(module),
        "dataset": dataset_section(dataset),
        "pipeline": pipeline_section(reader),
    }
    if module is not None and found.is_frozen:
        sections["module"] = "a script froze its backbone"
    if was_drawn:
        sections["module"] = "what is random in its backbone was drawn before the task was made"
    return replace(found, sections=sections)


def _check_kinds(module: object, dataset: object) -> None:
    if module is not None and not isinstance(module, Module):
        raise ConfigError(f"module must be a hubcls.Module(name=...), not {module!r}")
    if dataset is not None and not isinstance(dataset, Dataset):
        raise ConfigError(
            "dataset must be a data set such as hubcls.datasets.Digits() or "
            f"hubcls.datasets.ImageFolder(path), not {dataset!r}"
        )


def check_kind(ingredients: Ingredients, *, is_multi_label: bool) -> None:
    """Refuse a data set that another task is for.

    Raises:
        ConfigError: its images show several classes and should show one, or the reverse.
    """
    if ingredients.problem.is_multi_label == is_multi_label:
        return
    shown = "one class" if is_multi_label else "several classes"
    right = "ImageClassifierTask" if is_multi_label else "MultiLabelClassifierTask"
    flag = "image_classifier" if is_multi_label else "multi_label"
    raise ConfigError(
        f"the images of {ingredients.dataset.info.name} show {shown} each: use hubcls.{right} "
        f"(in a config task.name={right}, on the command line --task {flag})"
    )


def metric_names(choices: Metrics | None, problem: Problem) -> tuple[str, ...]:
    """The metrics' names; "default" is the problem's, and none at all decides by the loss.

    Raises:
        UnknownNameError: a name is in no table.
    """
    if choices == "default":
        return (problem.main_metric,)
    names = (choices,) if isinstance(choices, str) else tuple(choices or ("log_loss",))
    for name in names:
        find_metric(name, problem)
    return names


def from_module(
    module: Module,
    dataset: Dataset,
    reader: ImageClassificationReader | None,
    num_classes: int | None,
) -> Ingredients:
    """The three-step way: a module and a data set."""
    return Ingredients(
        backbone=module.backbone,
        groups=module.layer_groups,
        head_layers=(),
        is_pretrained=module.is_pretrained,
        is_frozen=not module.backbone.trainable,
        preprocessing=_preprocessing(reader, module.preprocessing, dataset, module.backbone),
        augmentation=_augmentation(reader, dataset),
        data_seed=None if reader is None else reader.random_seed,
        dataset=dataset,
        problem=_problem(dataset, num_classes),
        module=_module_facts(module),
    )


def from_feature(
    feature: keras.KerasTensor,
    dataset: Dataset,
    reader: ImageClassificationReader | None,
    num_classes: int | None,
) -> Ingredients:
    """PaddleHub's way: a tensor of `module.context()`, or layers of one's own on it.

    Raises:
        ConfigError: the tensor does not start at a module's images.
    """
    inputs = keras.utils.get_source_inputs(feature)
    backbone = keras.Model(inputs, feature, name="backbone")
    module = module_of(feature)
    if module is None:
        groups: tuple[LayerGroup, ...] = groups_by_stride(backbone)
        own = _read_preprocessing(backbone)
    else:
        present = {layer.name for layer in backbone.layers}
        groups = tuple(
            replace(group, layers=tuple(name for name in group.layers if name in present))
            for group in module.layer_groups
        )
        groups = tuple(group for group in groups if group.layers)
        own = module.preprocessing
    grouped = {name for group in groups for name in group.layers}
    added = tuple(
        layer.name for layer in backbone.layers if layer.weights and layer.name not in grouped
    )
    return Ingredients(
        backbone=backbone,
        groups=groups,
        head_layers=added,
        is_pretrained=module is None or module.is_pretrained,
        # What `module.context(trainable=False)` leaves behind.
        is_frozen=module is not None and not module.backbone.trainable,
        preprocessing=_preprocessing(reader, own, dataset, backbone),
        augmentation=_augmentation(reader, dataset),
        data_seed=None if reader is None else reader.random_seed,
        dataset=dataset,
        problem=_problem(dataset, num_classes),
        module={"name": "custom"} if module is None else _module_facts(module),
    )


def _module_facts(module: Module) -> dict[str, Any]:
    return {
        "name": module.name,
        "weights": None if module.weights is None else str(module.weights),
        "licence": module.spec.licence,
        "stochastic_depth": module.stochastic_depth,
    }


def _read_preprocessing(backbone: keras.Model) -> Preprocessing:
    layers = [layer for layer in backbone.layers if isinstance(layer, InputNormalization)]
    if not layers:
        raise ConfigError(
            "feature does not start at the image of a hubcls Module; "
            "take it from the outputs of module.context()"
        )
    height, width = backbone.input_shape[1:3]
    if height is None or width is None:
        raise ConfigError("feature must start at images of a fixed size, not [None, None]")
    return Preprocessing(
        height,
        width,
        mean=_three(layers[0].mean),
        std=_three(layers[0].std),
        channel_order=layers[0].channel_order,
    )


def _preprocessing(
    reader: ImageClassificationReader | None,
    of_module: Preprocessing,
    dataset: Dataset,
    backbone: keras.Model,
) -> Preprocessing:
    merged = (reader or ImageClassificationReader()).preprocessing(of_module, dataset.info)
    size, wanted = (merged.height, merged.width), tuple(backbone.input_shape[1:3])
    if wanted != (None, None) and size != wanted:
        raise ConfigError(
            f"the data_reader gives images of {size[0]}x{size[1]}, "
            f"but the module was built for {wanted[0]}x{wanted[1]}.\n"
            f"  Build the module for them: hubcls.Module(name=..., input_size={size[0]}), "
            "or leave image_width and image_height out."
        )
    return merged


def _augmentation(
    reader: ImageClassificationReader | None, dataset: Dataset
) -> Augmentation | None:
    reader = reader or ImageClassificationReader(dataset=dataset)
    return reader.augmentation(dataset.info)


def _problem(dataset: Dataset, num_classes: int | None) -> Problem:
    names = dataset.info.class_names
    if num_classes is not None and num_classes != len(names):
        raise ConfigError(
            f"num_classes={num_classes}, but {dataset.info.name} has {len(names)} classes; "
            "pass num_classes=dataset.num_labels"
        )
    return MultiLabel(names) if dataset.info.is_multi_label else SingleLabel(names)


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
