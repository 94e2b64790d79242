"""What is learned: heads on backbones, targets and losses, metrics, predictions.

Names are fetched on first use (PEP 562): predicting needs no metrics.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "name in hubcls.classification",
    {
        "AsymmetricLoss": "hubcls.classification.multi_label:AsymmetricLoss",
        "MultiLabel": "hubcls.classification.multi_label:MultiLabel",
        "Prediction": "hubcls.classification.predictions:Prediction",
        "Problem": "hubcls.classification.problem:Problem",
        "SingleLabel": "hubcls.classification.problem:SingleLabel",
        "build_classifier": "hubcls.classification.classifier:build_classifier",
        "compute": "hubcls.classification.metrics:compute",
        "confusion": "hubcls.classification.metrics:confusion",
        "decode": "hubcls.classification.predictions:decode",
        "head_layer_names": "hubcls.classification.classifier:head_layer_names",
        "is_better": "hubcls.classification.metrics:is_better",
        "is_linear_head": "hubcls.classification.classifier:is_linear_head",
        "log_softmax": "hubcls.classification.predictions:log_softmax",
        "per_class": "hubcls.classification.metrics:per_class",
        "problem_from_dict": "hubcls.classification.kinds:problem_from_dict",
        "set_linear_head": "hubcls.classification.classifier:set_linear_head",
        "softmax": "hubcls.classification.predictions:softmax",
    },
)

__all__ = [
    "AsymmetricLoss",
    "MultiLabel",
    "Prediction",
    "Problem",
    "SingleLabel",
    "build_classifier",
    "compute",
    "confusion",
    "decode",
    "head_layer_names",
    "is_better",
    "is_linear_head",
    "log_softmax",
    "per_class",
    "problem_from_dict",
    "set_linear_head",
    "softmax",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.classification' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
