"""How good a classifier is, and what it says: evaluation, prediction, report, TensorBoard.

Names are fetched on first use (PEP 562): predicting needs no metrics and no plots.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "name in hubcls.evaluation",
    {
        "Evaluation": "hubcls.evaluation.evaluating:Evaluation",
        "Images": "hubcls.evaluation.predicting:Images",
        "Report": "hubcls.evaluation.report:Report",
        "Visualization": "hubcls.evaluation.visualization:Visualization",
        "compute_outputs": "hubcls.inference.outputs:compute_outputs",
        "environment": "hubcls.evaluation.report:environment",
        "evaluate": "hubcls.evaluation.evaluating:evaluate",
        "listed_images": "hubcls.evaluation.predicting:listed_images",
        "predict": "hubcls.evaluation.predicting:predict",
        "write_history": "hubcls.evaluation.history:write_history",
        "write_report": "hubcls.evaluation.report:write_report",
    },
)

__all__ = [
    "Evaluation",
    "Images",
    "Report",
    "Visualization",
    "compute_outputs",
    "environment",
    "evaluate",
    "listed_images",
    "predict",
    "write_history",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.evaluation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
