"""How good a classifier is, and what it says: evaluation, prediction, report, TensorBoard."""

from hubcls.evaluation.evaluating import Evaluation, evaluate, predict_logits
from hubcls.evaluation.history import append_history, read_history, write_history
from hubcls.evaluation.predicting import Images, listed_images, predict
from hubcls.evaluation.report import Report, environment, write_report
from hubcls.evaluation.visualization import Visualization

__all__ = [
    "Evaluation",
    "Images",
    "Report",
    "Visualization",
    "append_history",
    "environment",
    "evaluate",
    "listed_images",
    "predict",
    "predict_logits",
    "read_history",
    "write_history",
    "write_report",
]
