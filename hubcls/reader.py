"""PaddleHub's name for the pipeline: `hubcls.reader.ImageClassificationReader`."""

from hubcls.pipeline.reader import ImageClassificationReader

__all__ = ["ImageClassificationReader"]
