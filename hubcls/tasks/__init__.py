"""What does a user ask for: tasks, which compose all rooms below into a whole workflow."""

from hubcls.tasks.image_classifier import ImageClassifierTask

__all__ = ["ImageClassifierTask"]
