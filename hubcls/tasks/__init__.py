"""What does a user ask for: tasks, which compose all rooms below into a whole workflow."""

from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.tasks.multi_label_classifier import MultiLabelClassifierTask
from hubcls.tasks.rate_finding import find_learning_rate, write_rate_figure

__all__ = [
    "ImageClassifierTask",
    "MultiLabelClassifierTask",
    "find_learning_rate",
    "write_rate_figure",
]
