"""Saved classifiers at work."""

from hubcls.serving.predictor import Predictor, load

__all__ = ["Predictor", "load"]
