"""What is learned: heads on backbones, targets and losses, metrics, predictions."""

from hubcls.classification.classifier import (
    build_classifier,
    head_layer_names,
    is_linear_head,
    set_linear_head,
)
from hubcls.classification.kinds import problem_from_dict
from hubcls.classification.metrics import compute, confusion, is_better, per_class
from hubcls.classification.multi_label import AsymmetricLoss, MultiLabel
from hubcls.classification.predictions import Prediction, decode, log_softmax, softmax
from hubcls.classification.problem import Problem, SingleLabel

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
