"""Batches of images from data sets and predictions' inputs, as tf.data streams."""

from hubcls.pipeline.building import TrainingStream, evaluation_batches, image_batches
from hubcls.pipeline.reader import ImageClassificationReader

__all__ = ["ImageClassificationReader", "TrainingStream", "evaluation_batches", "image_batches"]
