"""hubcls: transfer learning for image classification on Keras 3, in three steps.

Example:
    import hubcls

    module = hubcls.Module(name="efficientnet_lite0_imagenet")
    dataset = hubcls.datasets.Digits()
    task = hubcls.ImageClassifierTask(module=module, dataset=dataset)
    task.finetune_and_eval()

Names are fetched on first use (PEP 562), so that `import hubcls` loads no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import Any

from hubcls.errors import HubclsError
from hubcls.onednn import prefer_onednn
from hubcls.registry import Table
from hubcls.version import __version__

_PUBLIC = Table(
    "public name",
    {
        "AdamWeightDecayStrategy": "hubcls.strategies.default:AdamWeightDecayStrategy",
        "Augmentation": "hubcls.images.augmenting:Augmentation",
        "AutoFinetuneStrategy": "hubcls.strategies.auto:AutoFinetuneStrategy",
        "ClassifierTask": "hubcls.tasks.image_classifier:ImageClassifierTask",
        "CombinedStrategy": "hubcls.strategies.combined:CombinedStrategy",
        "DefaultFinetuneStrategy": "hubcls.strategies.default:DefaultFinetuneStrategy",
        "DefaultStrategy": "hubcls.strategies.default:DefaultStrategy",
        "DistillationLoss": "hubcls.classification.distilling:DistillationLoss",
        "DistillationTask": "hubcls.tasks.distillation:DistillationTask",
        "FinetuneStrategy": "hubcls.strategies.base:FinetuneStrategy",
        "ImageClassifierTask": "hubcls.tasks.image_classifier:ImageClassifierTask",
        "L2SPFinetuneStrategy": "hubcls.strategies.l2sp:L2SPFinetuneStrategy",
        "Module": "hubcls.modules.module:Module",
        "MultiLabelClassifierTask": (
            "hubcls.tasks.multi_label_classifier:MultiLabelClassifierTask"
        ),
        "RunConfig": "hubcls.training.run_config:RunConfig",
        "ScheduledStrategy": "hubcls.strategies.scheduled:ScheduledStrategy",
        "ULMFiTStrategy": "hubcls.strategies.ulmfit:ULMFiTStrategy",
        "load": "hubcls.serving.predictor:load",
        "logger": "hubcls.logs:logger",
    },
)
_ROOMS = ("dataset", "datasets", "reader")

prefer_onednn()

__all__ = [
    "AdamWeightDecayStrategy",
    "Augmentation",
    "AutoFinetuneStrategy",
    "ClassifierTask",
    "CombinedStrategy",
    "DefaultFinetuneStrategy",
    "DefaultStrategy",
    "DistillationLoss",
    "DistillationTask",
    "FinetuneStrategy",
    "HubclsError",
    "ImageClassifierTask",
    "L2SPFinetuneStrategy",
    "Module",
    "MultiLabelClassifierTask",
    "RunConfig",
    "ScheduledStrategy",
    "ULMFiTStrategy",
    "__version__",
    "dataset",
    "datasets",
    "load",
    "logger",
    "reader",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    if name in _ROOMS:
        return importlib.import_module(f"hubcls.{name}")
    raise AttributeError(f"module 'hubcls' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
