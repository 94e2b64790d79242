"""The names that configs and flags may use. Nothing here loads TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

from hubcls.registry import Table

DEFAULT_MODULE = "efficientnet_lite0_imagenet"
DEFAULT_STRATEGY = "AutoFinetuneStrategy"
DEFAULT_TASK = "ImageClassifierTask"

# Short names are for the command line; config.yaml has the classes' own.
SHORT_STRATEGIES: Mapping[str, str] = {
    "adam_weight_decay": "AdamWeightDecayStrategy",
    "auto": "AutoFinetuneStrategy",
    "combined": "CombinedStrategy",
    "default": "DefaultStrategy",
    "default_finetune": "DefaultFinetuneStrategy",
    "l2sp": "L2SPFinetuneStrategy",
    "scheduled": "ScheduledStrategy",
    "ulmfit": "ULMFiTStrategy",
}
STRATEGIES = Table(
    "strategy",
    {
        name: f"hubcls.strategies:{of}"
        for short, of in SHORT_STRATEGIES.items()
        for name in (short, of)
    },
)
SHORT_TASKS: Mapping[str, str] = {
    "image_classifier": "ImageClassifierTask",
    "distillation": "DistillationTask",
    "multi_label": "MultiLabelClassifierTask",
}
TASKS = Table(
    "task",
    {name: f"hubcls.tasks:{of}" for short, of in SHORT_TASKS.items() for name in (short, of)},
)
