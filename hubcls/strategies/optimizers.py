"""Optimizers by name: PaddleHub's names and defaults, and the field's newer ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.errors import ConfigError, UnknownNameError, nearest_names
from hubcls.registry import Table
from hubcls.strategies.ruled_updates import RuledUpdates
from hubcls.strategies.rules import Clip, Rules


@dataclass(frozen=True)
class OptimizerChoice:
    """What a name stands for.

    Attributes:
        base: name in the table of classes.
        defaults: where PaddlePaddle's differ from Keras's.
        weight_decay: decoupled decay that the name implies.
    """

    base: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.0


_CLASSES = Table(
    "optimizer class",
    {
        "adadelta": "keras.optimizers:Adadelta",
        "adagrad": "keras.optimizers:Adagrad",
        "adam": "keras.optimizers:Adam",
        "adamax": "keras.optimizers:Adamax",
        "lamb": "keras.optimizers:Lamb",
        "lars": "hubcls.strategies.lars:LarsMomentum",
        "lion": "keras.optimizers:Lion",
        "nadam": "keras.optimizers:Nadam",
        "rmsprop": "keras.optimizers:RMSprop",
        "sgd": "keras.optimizers:SGD",
    },
)

_CHOICES: dict[str, OptimizerChoice] = {
    "adadelta": OptimizerChoice("adadelta"),
    "adagrad": OptimizerChoice("adagrad", {"initial_accumulator_value": 0.0, "epsilon": 1e-12}),
    "adam": OptimizerChoice("adam"),
    "adamax": OptimizerChoice("adamax"),
    "adamw": OptimizerChoice("adam", weight_decay=0.01),
    # PaddlePaddle's DecayedAdagrad is RMSprop without momentum. It adds 1e-6 to the root,
    # RMSprop 1e-12 inside it.
    "decayedadagrad": OptimizerChoice("rmsprop", {"rho": 0.95, "epsilon": 1e-12}),
    # FTRL-Proximal without its L1 and L2 terms is Adagrad (McMahan et al. 2013, section
    # 3.1). Keras' own Ftrl starts its linear term at 0 and so forgets pretrained weights
    # in the first step.
    "ftrl": OptimizerChoice("adagrad", {"initial_accumulator_value": 0.0, "epsilon": 1e-12}),
    "lamb": OptimizerChoice("lamb"),
    "larsmomentum": OptimizerChoice("lars"),
    "lion": OptimizerChoice("lion"),
    "momentum": OptimizerChoice("sgd", {"momentum": 0.9}),
    "nadam": OptimizerChoice("nadam"),
    "rmsprop": OptimizerChoice("rmsprop", {"rho": 0.95, "epsilon": 1e-6}),
    "sgd": OptimizerChoice("sgd"),
}

# What a strategy decides itself, or what does not work on several devices (keras 3.15).
_INSTEAD = {
    "learning_rate": "the strategy's own learning_rate",
    "weight_decay": 'regularization={"weight_decay": …} of CombinedStrategy',
    "clipnorm": 'clip={"Norm": …} of CombinedStrategy',
    "global_clipnorm": 'clip={"GlobalNorm": …} of CombinedStrategy',
    "clipvalue": 'clip={"GlobalNorm": …} of CombinedStrategy',
    "gradient_accumulation_steps": "RunConfig(gradient_accumulation=…) and a strategy of hubcls",
    "ema_overwrite_frequency": "use_ema=True, which takes over the averages at the end",
    "loss_scale_factor": 'RunConfig(mixed_precision="mixed_float16")',
    "name": "no name",
    "kwargs": "one of the options",
}


_ALONE = (
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "gradient_accumulation_steps",
    "ema_overwrite_frequency",
)


def names() -> tuple[str, ...]:
    """The names of all optimizers."""
    return tuple(_CHOICES)


def implied_weight_decay(name: str) -> float:
    """The decoupled decay that an optimizer's name stands for: 0.01 for "adamw"."""
    return _choice(name).weight_decay


def check_optimizer(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a name or an option before anything is built.

    Raises:
        UnknownNameError: the name is in no table.
        ConfigError: the optimizer does not take an option; lists all of these.
    """
    known = _options_of(_choice(name).base)
    wrong = []
    for option in options:
        if option in _INSTEAD:
            wrong.append(f"{option} is not for the optimizer; use {_INSTEAD[option]}")
        elif option not in known:
            near = nearest_names(option, known) or known
            wrong.append(f"{option} is unknown; it takes {', '.join(near)}")
    if wrong:
        raise ConfigError(f"options of the optimizer {name!r} are wrong:\n  " + "\n  ".join(wrong))


def check_for_replicas(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse what Keras 3.15 does wrongly, or not at all, on several devices at once.

    It clips each device's own gradients; accumulation and overwriting averages crash. Our
    own optimizers accumulate there, too.

    Raises:
        ConfigError: the optimizer does any of it; says what to take instead.
    """
    mastered = ("gradient_accumulation_steps",) if isinstance(optimizer, RuledUpdates) else ()
    wrong = [
        f"{name}: use {_INSTEAD[name]}"
        for name in _ALONE
        if name not in mastered and getattr(optimizer, name, None)
    ]
    if wrong:
        raise ConfigError(
            "this strategy's optimizer has options that fail on several devices:\n  "
            + "\n  ".join(wrong)
            + '\n  Or train on one: RunConfig(distribution="one_device").'
        )


def build_optimizer(
    name: str,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    rules: Rules,
    clip: Clip | None = None,
    options: Mapping[str, Any] | None = None,
) -> keras.optimizers.Optimizer:
    """The optimizer called `name`, made to follow `rules`.

    Args:
        name: upper case is read as lower.
        learning_rate: before any multiplier.
        rules: of every variable that it will ever update.
        clip: how long gradients may be.
        options: of the Keras optimizer, e.g. {"beta_2": 0.99} or {"use_ema": True}.

    Raises:
        UnknownNameError: the name is in no table.
        ConfigError: an option is unknown.
    """
    given = dict(options or {})
    check_optimizer(name, given)
    choice = _choice(name)
    rate = float(learning_rate) if isinstance(learning_rate, (int, float)) else learning_rate
    arguments = {**choice.defaults, **given, "learning_rate": rate}
    return _ruled_class(choice.base)(rules=rules, clip=clip, **arguments)


def _choice(name: str) -> OptimizerChoice:
    if name.lower() not in _CHOICES:
        raise UnknownNameError("optimizer", name, _CHOICES)
    return _CHOICES[name.lower()]


@functools.cache
def _ruled_class(base: str) -> Any:
    keras_class = _CLASSES[base]
    return type(keras_class.__name__, (RuledUpdates, keras_class), {"__module__": __name__})


@functools.cache
def _options_of(base: str) -> tuple[str, ...]:
    taken = {"self", "args", *_INSTEAD}
    by_class = [inspect.signature(cls.__init__).parameters for cls in _CLASSES[base].__mro__]
    return tuple(
        dict.fromkeys(name for parameters in by_class for name in parameters if name not in taken)
    )
