"""How good a classifier is, and what it says: evaluation, prediction, report, TensorBoard."""

from hubcls.evaluation.evaluating import Evaluation, evaluate
from hubcls.evaluation.history import write_history
from hubcls.evaluation.predicting import Images, listed_images, predict
from hubcls.evaluation.report import Report, environment, write_report
from hubcls.evaluation.visualization import Visualization
from hubcls.inference.outputs import compute_outputs

__all__ = [
    "Evaluation",
    "Images",
    "Report",
    "Visualization",
    "compute_outputs",
    "environment",
    "evaluate",
    "listed_images",
    "predict",
    "write_history",
    "write_report",
]
