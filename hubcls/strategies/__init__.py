"""How to train: optimizers, learning-rate schedules, regularisation and freezing."""

from hubcls.strategies.auto import AutoFinetuneStrategy
from hubcls.strategies.base import FinetuneStrategy, Plan, PlanRequest, TrainableGroup
from hubcls.strategies.combined import CombinedStrategy
from hubcls.strategies.default import (
    AdamWeightDecayStrategy,
    DefaultFinetuneStrategy,
    DefaultStrategy,
)
from hubcls.strategies.l2sp import L2SPFinetuneStrategy
from hubcls.strategies.loss_scaling import AgreedLossScaling
from hubcls.strategies.scheduled import ScheduledStrategy
from hubcls.strategies.ulmfit import ULMFiTStrategy

__all__ = [
    "AdamWeightDecayStrategy",
    "AgreedLossScaling",
    "AutoFinetuneStrategy",
    "CombinedStrategy",
    "DefaultFinetuneStrategy",
    "DefaultStrategy",
    "FinetuneStrategy",
    "L2SPFinetuneStrategy",
    "Plan",
    "PlanRequest",
    "ScheduledStrategy",
    "TrainableGroup",
    "ULMFiTStrategy",
]
