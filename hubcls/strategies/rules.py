"""What is done to each variable at an update, beyond what every optimizer does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import keras

from hubcls.errors import ConfigError
from hubcls.strategies.base import PlanRequest


@dataclass(frozen=True)
class VariableRule:
    """How one variable is updated.

    Attributes:
        multiplier: of the learning rate.
        l1: adds l1 · sign(w) to the gradient.
        l2: adds l2 · w to the gradient.
        l2sp: adds l2sp · (w − w0) to the gradient; w0 is the value at the start.
        weight_decay: takes weight_decay · learning rate · multiplier · w off the weight,
            past the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101).
    """

    multiplier: float = 1.0
    l1: float = 0.0
    l2: float = 0.0
    l2sp: float = 0.0
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Clip:
    """How long a gradient may be, before any regularisation is added to it.

    Attributes:
        kind: "global_norm" measures all gradients as one vector; "norm" each on its own.
        value: the greatest norm.
    """

    kind: Literal["global_norm", "norm"]
    value: float

    def __post_init__(self) -> None:
        """Refuse what clips everything away.

        Raises:
            ConfigError: the kind is unknown, or the value is not above 0.
        """
        if self.kind not in ("global_norm", "norm") or not self.value > 0:
            raise ConfigError(
                'clipping must be "global_norm" or "norm" with a value above 0, not '
                f"{self.kind!r} with {self.value!r}"
            )


@dataclass(frozen=True)
class Regularization:
    """Ways to keep weights small; biases and normalisation parameters are spared.

    Attributes:
        l1: on every weight.
        l2: on every weight; with `l2sp`, on the head only.
        l2sp: towards the start, on the pretrained weights.
        weight_decay: decoupled, on every weight.
    """

    l1: float = 0.0
    l2: float = 0.0
    l2sp: float = 0.0
    weight_decay: float = 0.0


class Rules:
    """The rule of each variable, found by identity."""

    def __init__(self, by_variable: Mapping[int, VariableRule]) -> None:
        """Take over a mapping from `id(variable)`; the layers must outlive the rules."""
        self._by_variable = by_variable

    def of(self, variable: keras.Variable) -> VariableRule:
        """The rule of `variable`.

        Raises:
            ConfigError: the variable belongs to none of the groups that were planned for.
        """
        if id(variable) not in self._by_variable:
            raise ConfigError(
                f"the plan has no rule for the variable {variable.path!r}; build the optimizer "
                "with variables of the layers in PlanRequest.groups only"
            )
        return self._by_variable[id(variable)]


def variable_rules(
    request: PlanRequest,
    *,
    regularization: Regularization,
    multipliers: Mapping[int, float] | None = None,
) -> Rules:
    """The rules of all variables of the request's groups.

    Args:
        request: holds the groups.
        regularization: for every variable but biases and normalisation parameters.
        multipliers: `id(layer)` → factor of the learning rate; 1 where missing.

    Raises:
        ConfigError: L2-SP is wanted where nothing is pretrained.
    """
    if regularization.l2sp and not request.is_pretrained:
        raise ConfigError(
            "L2SP pulls weights towards their pretrained values, and this module has none. "
            'Choose the regularization "L2", or a module with weights.'
        )
    by_variable = {}
    for group in request.groups:
        for layer in group.layers:
            multiplier = (multipliers or {}).get(id(layer), 1.0)
            for variable in layer.variables:
                is_spared = is_bias_or_norm(layer, variable)
                by_variable[id(variable)] = (
                    VariableRule(multiplier)
                    if is_spared
                    else _weight_rule(multiplier, regularization, is_head=group.is_head)
                )
    return Rules(by_variable)


def is_bias_or_norm(layer: keras.layers.Layer, variable: keras.Variable) -> bool:
    """Whether a variable is a bias or a scale, which regularisation should spare.

    True for everything of a normalisation layer, for names with "bias", and for every
    vector or number: a bias or scale inside a composite layer, whatever it is called.
    """
    is_norm = type(layer).__name__.endswith(("Normalization", "Norm"))
    return is_norm or "bias" in variable.name or len(variable.shape) <= 1


def _weight_rule(
    multiplier: float, regularization: Regularization, *, is_head: bool
) -> VariableRule:
    l2 = regularization.l2
    if regularization.l2sp and not is_head:
        l2 = 0.0
    return VariableRule(
        multiplier=multiplier,
        l1=regularization.l1,
        l2=l2,
        l2sp=0.0 if is_head else regularization.l2sp,
        weight_decay=regularization.weight_decay,
    )
