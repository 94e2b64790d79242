"""How to train: optimizers, learning-rate schedules, regularisation and freezing."""

from hubcls.strategies.base import FinetuneStrategy, Plan, PlanRequest, TrainableGroup

__all__ = ["FinetuneStrategy", "Plan", "PlanRequest", "TrainableGroup"]
