"""The names of the operations, and operations from plain YAML values and back."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tensorflow as tf

from hubcls.errors import ConfigError, UnknownNameError
from hubcls.registry import Table

Batch = tuple[tf.Tensor, tf.Tensor]

OPERATIONS = Table(
    "operation",
    {
        "augmix": "hubcls.images.operations.policies:AugMix",
        "auto_augment": "hubcls.images.operations.policies:AutoAugment",
        "color_jitter": "hubcls.images.operations.jittering:ColorJitter",
        "cutmix": "hubcls.images.operations.mixing:CutMix",
        "cutout": "hubcls.images.operations.erasing:Cutout",
        "grid_mask": "hubcls.images.operations.erasing:GridMask",
        "hide_and_seek": "hubcls.images.operations.erasing:HideAndSeek",
        "mixup": "hubcls.images.operations.mixing:Mixup",
        "one_of": "hubcls.images.operations.alternatives:OneOf",
        "rand_augment": "hubcls.images.operations.policies:RandAugment",
        "random_erasing": "hubcls.images.operations.erasing:RandomErasing",
        "rotation": "hubcls.images.operations.jittering:Rotation",
        "trivial_augment_wide": "hubcls.images.operations.policies:TrivialAugmentWide",
    },
    hint="docs/augmentation.md shows what each of them does.",
)


class Operation(Protocol):
    """Something done to a batch of training images, and perhaps to their targets.

    Those of the table are frozen dataclasses. One of your own is any callable of this
    form with this attribute; its `repr` stands for it in config.yaml.
    """

    @property
    def mixes_targets(self) -> bool:
        """Whether targets change, so that an image may be of several classes in part."""

    def __call__(self, images: tf.Tensor, targets: tf.Tensor, seeds: tf.Tensor) -> Batch:
        """Change a batch, in pure TensorFlow operations.

        Args:
            images: uint8 or float32 [B, H, W, 3], RGB, 0–255; H and W are known.
            targets: float32 [B, C].
            seeds: int64 [B, 2], one an image: the same seed draws the same numbers,
                whatever else is in the batch.

        Returns:
            Images and targets, shapes and dtypes as given.
        """


def operation(values: str | Mapping[str, Any]) -> Operation:
    """The operation that plain values describe.

    Example:
        >>> operation({"name": "rand_augment", "magnitude": 5})
        RandAugment(magnitude=5, num_operations=2)

    Args:
        values: a name of `OPERATIONS`, or a mapping of "name" and arguments.

    Raises:
        UnknownNameError: no operation has that name; lists the nearest.
        ConfigError: there is no name, or an argument is unknown or out of range.
    """
    arguments = {"name": values} if isinstance(values, str) else dict(values)
    name = arguments.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(
            f'an operation needs a name, as in {{"name": "mixup", "alpha": 0.2}}, not {values!r}'
        )
    made: Operation = constructed(OPERATIONS[name], arguments, f"argument of {name}")
    return made


def looked_up(given: Sequence[Any]) -> tuple[tuple[Any, ...], list[str]]:
    """The operations, those that are named looked up; and what is wrong with others."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        return (), [f"operations must be a list, not {given!r}"]
    found, wrong = [], []
    for each in given:
        try:
            found.append(operation(each) if isinstance(each, str | Mapping) else each)
        except ConfigError as error:
            wrong.append(str(error))
            continue
        if not hasattr(found[-1], "mixes_targets"):
            wrong.append(f"operations must be operations such as Mixup() or names, not {each!r}")
    return tuple(found), wrong


def constructed(made: type[Any], arguments: Mapping[str, Any], kind: str) -> Any:
    """An instance from plain values; lists stand for tuples.

    Args:
        made: a dataclass.
        arguments: of its constructor.
        kind: what an argument is, for the message about an unknown one.

    Raises:
        UnknownNameError: the constructor has no such argument; lists the nearest.
    """
    known = inspect.signature(made).parameters
    for name in arguments:
        if name not in known:
            raise UnknownNameError(kind, str(name), known)
    return made(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in arguments.items()
        }
    )


def plain_values(given: Operation) -> dict[str, Any]:
    """The inverse of `operation`: every setting as plain YAML types."""
    for name in OPERATIONS:
        if type(given) is OPERATIONS[name]:
            return {"name": name, **fields_of(given)}
    return {"name": repr(given)}


def fields_of(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass, tuples as lists, operations as `plain_values`."""
    values = {field.name: getattr(instance, field.name) for field in dataclasses.fields(instance)}
    return {
        name: [_plain(item) for item in value] if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def _plain(item: Any) -> Any:
    return plain_values(item) if hasattr(item, "mixes_targets") else item


def refuse_outside(given: object, **ranges: tuple[float, float]) -> None:
    """Check that settings lie in their ranges; tuples are checked number by number.

    Args:
        given: the operation.
        ranges: setting → least and greatest value. Whole numbers as limits demand whole
            numbers.

    Raises:
        ConfigError: some are outside, or are no numbers; lists all of them.
    """
    wrong = []
    for name, (least, greatest) in ranges.items():
        value = getattr(given, name)
        numbers = value if isinstance(value, tuple | list) else (value,)
        kinds = int if isinstance(least, int) else (int, float)
        if name == "fill" and len(numbers) != len("RGB"):
            wrong.append(f"fill must be three numbers, red, green and blue, not {value!r}")
        elif not numbers or not all(
            isinstance(number, kinds)
            and not isinstance(number, bool)
            and least <= number <= greatest
            for number in numbers
        ):
            word = "whole number" if kinds is int else "number"
            wrong.append(f"{name} must be a {word} from {least} to {greatest}, not {value!r}")
    if wrong:
        raise ConfigError(f"{type(given).__name__} is wrong:\n  " + "\n  ".join(wrong))
