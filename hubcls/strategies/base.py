"""What a strategy is asked, and what it answers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from hubcls.errors import ConfigError
from hubcls.typed_yaml import plain


@dataclass(frozen=True)
class TrainableGroup:
    """Layers that lie side by side in the network: one stage, or the head.

    Attributes:
        name: "stem", "stage2", …, "head".
        layers: in graph order, the image first.
        is_head: True for the new layers on top, which hold no pretrained weights.
    """

    name: str
    layers: tuple[keras.layers.Layer, ...]
    is_head: bool = False


@dataclass(frozen=True)
class PlanRequest:
    """All that a strategy may know about a run.

    Attributes:
        groups: every layer with weights in exactly one group; stem first, head last.
        steps_per_epoch: updates in one pass over the training examples.
        num_epoch: passes; 0 when only the linear probe is wanted.
        num_examples: training examples.
        is_pretrained: whether the groups below the head hold pretrained weights.
    """

    groups: tuple[TrainableGroup, ...]
    steps_per_epoch: int
    num_epoch: int
    num_examples: int
    is_pretrained: bool = True

    def __post_init__(self) -> None:
        """Refuse a request that nobody could plan for.

        Raises:
            ConfigError: a count is out of range, or the last group is not the only head.
        """
        wrong = []
        if self.steps_per_epoch < 1:
            wrong.append(f"steps_per_epoch must be at least 1, not {self.steps_per_epoch}")
        if self.num_epoch < 0:
            wrong.append(f"num_epoch must be 0 or more, not {self.num_epoch}")
        if [group.is_head for group in self.groups] != [False] * (len(self.groups) - 1) + [True]:
            wrong.append("the last of the groups, and no other, must be the head")
        if wrong:
            raise ConfigError("a plan cannot be made:\n  " + "\n  ".join(wrong))

    @property
    def total_steps(self) -> int:
        """All updates of the run, at least 1 so that schedules can divide by it."""
        return max(1, self.steps_per_epoch * self.num_epoch)

    @property
    def body(self) -> tuple[TrainableGroup, ...]:
        """The groups below the head, stem first."""
        return self.groups[:-1]

    @property
    def head(self) -> TrainableGroup:
        """The group of new layers on top."""
        return self.groups[-1]

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The layers of all groups, stem first."""
        return tuple(layer for group in self.groups for layer in group.layers)


@dataclass(frozen=True)
class Plan:
    """How a run trains: who updates the weights, and which layers train when.

    Attributes:
        optimizer: to be built once on every variable that ever trains
            (`optimizer.build(plan.ever_open_variables(...))`) before the first step.
        open_layers: epoch, counted from 0, → the layers that train in it.
        starts_from_probe: the head is first solved as a linear probe on frozen features.
        frozen_inside: layers inside other layers (a BatchNorm within a block) that never
            train, even when the layer around them is open.
    """

    optimizer: keras.optimizers.Optimizer
    open_layers: Callable[[int], tuple[keras.layers.Layer, ...]]
    starts_from_probe: bool = False
    frozen_inside: tuple[keras.layers.Layer, ...] = ()

    def set_trainable(self, groups: Sequence[TrainableGroup], epoch: int) -> bool:
        """Set `trainable` on every layer of `groups` as this plan wants it in `epoch`.

        A Keras BatchNorm that is not trainable also normalises with its stored statistics.

        Returns:
            Whether anything changed. If so, a compiled training function is out of date:
            `model.make_train_function(force=True)`.
        """
        layers = [layer for group in groups for layer in group.layers]
        before = _trainable_state(layers, self.frozen_inside)
        opened = {id(layer) for layer in self.open_layers(epoch)}
        for layer in layers:
            layer.trainable = id(layer) in opened
        for layer in self.frozen_inside:
            layer.trainable = False
        return _trainable_state(layers, self.frozen_inside) != before

    def ever_open_variables(
        self, groups: Sequence[TrainableGroup], num_epoch: int
    ) -> list[keras.Variable]:
        """The variables that train in any of the first `num_epoch` epochs, in graph order.

        Leaves the layers as they are in epoch 0.
        """
        layers = [layer for group in groups for layer in group.layers]
        variables: dict[int, tuple[int, keras.Variable]] = {}
        order = {id(v): i for i, v in enumerate(v for layer in layers for v in layer.variables)}
        for epoch in reversed(range(max(1, num_epoch))):
            self.set_trainable(groups, epoch)
            for layer in layers:
                for variable in layer.trainable_variables:
                    variables[id(variable)] = (order[id(variable)], variable)
        return [variable for _, variable in sorted(variables.values(), key=lambda item: item[0])]


class FinetuneStrategy(ABC):
    """Base of all strategies; inherit from it to write your own.

    A strategy is told about groups of layers and about the number of steps, never about
    the task, the data or the device. It answers with a `Plan`: an optimizer, and for each
    epoch the layers that train. Any Keras optimizer will do. Store every argument of
    `__init__` under its own name: `describe`, and with it the run's config.yaml, reads
    them from there.

    Example:
        >>> import keras
        >>> from hubcls.strategies import FinetuneStrategy, Plan
        >>> class HeadFirst(FinetuneStrategy):
        ...     '''Trains the head alone for one epoch, then all layers.'''
        ...
        ...     def __init__(self, learning_rate=0.01):
        ...         self.learning_rate = learning_rate
        ...
        ...     def plan(self, request):
        ...         def open_layers(epoch):
        ...             return request.head.layers if epoch == 0 else request.layers
        ...
        ...         optimizer = keras.optimizers.SGD(self.learning_rate, momentum=0.9)
        ...         return Plan(optimizer=optimizer, open_layers=open_layers)
        ...
        ...     def num_epoch(self, num_examples, batch_size):
        ...         return 3
        >>> print(HeadFirst(learning_rate=0.1))
        HeadFirst(learning_rate=0.1)
    """

    @abstractmethod
    def plan(self, request: PlanRequest) -> Plan:
        """Decide on optimizer and freezing for one run.

        Called inside the distribution strategy's scope, once the pretrained weights lie in
        the layers and before the first step. Must give the same plan for the same request,
        because a resumed run asks again.
        """

    def num_epoch(self, num_examples: int, batch_size: int) -> int:
        """Passes over the data when the user names none; `batch_size` is the global one."""
        return 1

    def describe(self) -> dict[str, Any]:
        """Name and arguments as plain JSON types, for the run's config.yaml.

        Raises:
            ConfigError: an argument is of no JSON type; names each of these.
        """
        description: dict[str, Any] = {"name": type(self).__name__}
        for parameter in inspect.signature(type(self).__init__).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                description.update(getattr(self, parameter.name, {}))
            elif hasattr(self, parameter.name):
                description[parameter.name] = getattr(self, parameter.name)
        return as_json_types(description)

    def __str__(self) -> str:
        arguments = {key: value for key, value in self.describe().items() if key != "name"}
        listing = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        return f"{type(self).__name__}({listing})"


def _trainable_state(
    layers: Sequence[keras.layers.Layer], inner: Sequence[keras.layers.Layer]
) -> list[tuple[bool, int]]:
    return [(layer.trainable, len(layer.trainable_variables)) for layer in (*layers, *inner)]


def as_json_types(description: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with tuples as lists and NumPy numbers as Python's.

    Raises:
        ConfigError: an argument is of no JSON type; names each of these.
    """
    values, wrong = {}, []
    for name, value in description.items():
        try:
            values[name] = plain(value)
        except TypeError as error:
            wrong.append(f"{name}={value!r} holds {error}")
    if wrong:
        raise ConfigError(
            "a strategy's arguments must be numbers, strings, booleans, None, or lists and "
            "mappings of these, for they are written to config.yaml:\n  " + "\n  ".join(wrong)
        )
    return values
