"""How is a classifier trained: run settings, Keras' fit, probes, and resumable state."""

from hubcls.training.fitting import Fitting, Listener, fit
from hubcls.training.hooks import EVENTS, TaskHooks
from hubcls.training.run_config import RunConfig
from hubcls.training.run_state import RunProgress, RunState, Score

__all__ = [
    "EVENTS",
    "Fitting",
    "Listener",
    "RunConfig",
    "RunProgress",
    "RunState",
    "Score",
    "TaskHooks",
    "fit",
]
