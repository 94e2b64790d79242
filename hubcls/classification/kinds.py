"""Problems by the name of their kind, as a bundle holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubcls.classification.multi_label import MultiLabel
from hubcls.classification.problem import Problem, SingleLabel
from hubcls.errors import ConfigError


def problem_from_dict(values: Mapping[str, Any]) -> Problem:
    """The inverse of `Problem.as_dict`.

    Raises:
        ConfigError: the kind is unknown.
    """
    names = tuple(values["class_names"])
    if values.get("kind") == "single_label":
        return SingleLabel(names)
    if values.get("kind") == "multi_label":
        return MultiLabel(names, tuple(values["thresholds"]))
    raise ConfigError(
        f'the kind of problem must be "single_label" or "multi_label", not {values.get("kind")!r}'
    )
