"""What does a user ask for: tasks, which compose all rooms below into a whole workflow."""

from hubcls.tasks.image_classifier import ImageClassifierTask
from hubcls.tasks.multi_label_classifier import MultiLabelClassifierTask

__all__ = ["ImageClassifierTask", "MultiLabelClassifierTask"]
