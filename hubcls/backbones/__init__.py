"""Architectures of our own: numbers in frozen dataclasses, layers from functions."""

from hubcls.backbones.architecture import Architecture
from hubcls.backbones.attention_layers import Attention, DistanceAttention, WindowAttention
from hubcls.backbones.involution_layers import Involution
from hubcls.backbones.key_rules import KeyRules
from hubcls.backbones.layers import (
    AdaptiveAveragePooling,
    ChannelShuffle,
    GroupedConv2D,
    HardSigmoid,
    ResidualSum,
)
from hubcls.backbones.token_layers import (
    FirstTokens,
    PatchConv2D,
    PixelPositions,
    PositionEmbedding,
    PrependedToken,
)

LAYERS = (
    AdaptiveAveragePooling,
    Attention,
    ChannelShuffle,
    DistanceAttention,
    FirstTokens,
    GroupedConv2D,
    HardSigmoid,
    Involution,
    PatchConv2D,
    PixelPositions,
    PositionEmbedding,
    PrependedToken,
    ResidualSum,
    WindowAttention,
)
"""Every kind of layer that Keras lacks, for whoever loads a saved model."""

__all__ = ["LAYERS", "Architecture", "KeyRules"]
