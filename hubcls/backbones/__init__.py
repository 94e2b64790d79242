"""Architectures of our own: numbers in frozen dataclasses, layers from functions."""

from hubcls.backbones.architecture import Architecture
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.layers import (
    AdaptiveAveragePooling,
    ChannelShuffle,
    GroupedConv2D,
    HardSigmoid,
)

LAYERS = (AdaptiveAveragePooling, ChannelShuffle, GroupedConv2D, HardSigmoid)
"""Every kind of layer that Keras lacks, for whoever loads a saved model."""

__all__ = ["LAYERS", "Architecture", "KeyRules"]
