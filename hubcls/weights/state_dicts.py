"""Where a checkpoint's weights are among what else a training script has saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hubcls.errors import WeightsError

# Training scripts wrap the weights in a dictionary beside the epoch and the optimizer.
_WRAPPERS = ("state_dict", "model_state_dict", "model")


def state_dict_of(value: Any) -> dict[Any, Any]:
    """The dictionary of weights in an unpickled checkpoint.

    Raises:
        WeightsError: there is none.
    """
    if not isinstance(value, dict):
        raise WeightsError("the checkpoint holds no dictionary of tensors")
    for wrapper in _WRAPPERS:
        if isinstance(value.get(wrapper), dict):
            return dict(value[wrapper])
    return dict(value)


def check_entries(entries: Mapping[Any, Any], is_tensor: Callable[[Any], bool]) -> None:
    """Refuse a dictionary of weights in which other things stand.

    Args:
        entries: the weights by their keys.
        is_tensor: tells a tensor from other values.

    Raises:
        WeightsError: a key is no text, or a value no tensor; names them all.
    """
    strangers = [
        str(key)
        for key, entry in entries.items()
        if not (isinstance(key, str) and is_tensor(entry))
    ]
    if strangers:
        raise WeightsError(
            f"these entries of the checkpoint are no tensors: {', '.join(strangers[:10])}\n"
            "  Save the model's state_dict alone."
        )
