"""Architectures of our own: numbers in frozen dataclasses, layers from functions."""

from hubcls.backbones.architecture import Architecture
from hubcls.backbones.inverted_residual import InvertedResidual, Stage, efficientnet_lite

__all__ = ["Architecture", "InvertedResidual", "Stage", "efficientnet_lite"]
