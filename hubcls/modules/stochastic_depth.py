"""Stochastic depth: in training, images go without some residual branches of a network."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras

from hubcls.backbones.layers import ResidualSum
from hubcls.errors import ConfigError
from hubcls.modules.sources.built import Built


def with_stochastic_depth(built: Built, rate: float, name: str) -> Built:
    """The network with rates that rise in a line, from the first residual sum to the last.

    Huang et al. 2016, arXiv:1603.09382, section 3: of L sums, the l-th drops its branch for a
    share of l/L times `rate` of the images. Both sums of a transformer's block count.

    Args:
        built: by a source of modules; its variables are kept.
        rate: of the last sum, in (0, 1).
        name: of the module, for the message.

    Raises:
        ConfigError: the network has no residual sum whose rate can be set.
    """
    config: dict[str, Any] = built.backbone.get_config()
    sums = [one["config"] for one in config["layers"] if one["class_name"] == ResidualSum.__name__]
    if not sums:
        raise ConfigError(
            f"{name} has no residual sums of hubcls' own for stochastic_depth={rate:g}.\n"
            "  Leave it out: EfficientNets of keras.applications and some KerasHub networks drop "
            "branches at rates of their own.\n  Or take a residual network or transformer of which "
            "`hubcls modules show NAME` says `from native`."
        )
    for place, one in enumerate(sums, start=1):
        one["rate"] = rate * place / len(sums)
    backbone = keras.Model.from_config(config)
    backbone.set_weights(built.backbone.get_weights())
    return dataclasses.replace(built, backbone=backbone)
