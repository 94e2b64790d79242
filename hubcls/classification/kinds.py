"""Problems by the name of their kind, as a bundle holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from hubcls.classification.problem import Problem
from hubcls.errors import ConfigError
from hubcls.registry import Table

# The metrics of several labels need scikit-learn, which naming one class does not.
_KINDS = Table(
    "kind of problem",
    {
        "multi_label": "hubcls.classification.multi_label:MultiLabel",
        "single_label": "hubcls.classification.problem:SingleLabel",
    },
)


def problem_from_dict(values: Mapping[str, Any]) -> Problem:
    """The inverse of `Problem.as_dict`.

    Raises:
        ConfigError: the kind is unknown.
    """
    kind = values.get("kind")
    if kind not in _KINDS:
        raise ConfigError(f"the kind of problem must be one of {sorted(_KINDS)}, not {kind!r}")
    problem = _KINDS[str(kind)]
    made: Problem = problem(*(tuple(values[field.name]) for field in fields(problem)))
    return made
