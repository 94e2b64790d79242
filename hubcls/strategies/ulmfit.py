"""Universal fine-tuning: a slanted triangle, rates by depth, unfreezing from the top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hubcls.strategies.combined import CombinedStrategy
from hubcls.strategies.freezing import BatchNormRule


class ULMFiTStrategy(CombinedStrategy):
    """Howard & Ruder 2018, arXiv:1801.06146: three ways not to forget, taken together.

    The rate rises shortly and falls slowly; lower blocks of layers have lower rates; each
    epoch opens one more block from the top, so all train from epoch `frz_blocks` on.
    """

    def __init__(
        self,
        learning_rate: float = 1e-4,
        optimizer_name: str = "adam",
        cut_fraction: float = 0.1,
        ratio: float = 32,
        dis_blocks: int = 3,
        factor: float = 2.6,
        dis_params_layer: Mapping[str, int] | None = None,
        frz_blocks: int = 3,
        frz_params_layer: Mapping[str, int] | None = None,
        *,
        batch_norm: BatchNormRule = "auto",
        **optimizer_options: Any,
    ) -> None:
        """Check the arguments.

        Args:
            learning_rate: at the peak, for the head and the top block.
            optimizer_name: see `hubcls.strategies.optimizers.names()`.
            cut_fraction: share of the steps in which the rate rises; 0 keeps it constant.
            ratio: how much smaller the lowest rate is.
            dis_blocks: number of blocks with rates of their own; 0 means one rate for all.
            factor: between the rates of neighbouring blocks.
            dis_params_layer: name of a layer or group → block, 0 next to the image; takes
                the place of `dis_blocks`.
            frz_blocks: number of blocks to open one by one; 0 opens all at once.
            frz_params_layer: as `dis_params_layer`, in the place of `frz_blocks`.
            batch_norm: as in `CombinedStrategy`.
            **optimizer_options: of the Keras optimizer.

        Raises:
            ConfigError: a name or a value is wrong.
        """
        super().__init__(
            optimizer_name,
            learning_rate,
            scheduler={
                "slanted_triangle": {"cut_fraction": cut_fraction, "ratio": ratio},
                "discriminative": {
                    "blocks": 0 if dis_params_layer else dis_blocks,
                    "params_layer": dis_params_layer,
                    "factor": factor,
                },
                "gradual_unfreeze": {
                    "blocks": 0 if frz_params_layer else frz_blocks,
                    "params_layer": frz_params_layer,
                },
            },
            batch_norm=batch_norm,
            **optimizer_options,
        )
        self.cut_fraction = cut_fraction
        self.ratio = ratio
        self.dis_blocks = dis_blocks
        self.factor = factor
        self.dis_params_layer = dis_params_layer
        self.frz_blocks = frz_blocks
        self.frz_params_layer = frz_params_layer
