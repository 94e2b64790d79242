"""What a network's layers compute, in fewer passes over memory."""

from hubcls.folding.networks import folded, folded_constants

__all__ = ["folded", "folded_constants"]
