"""What happens to every image, in training, evaluation, prediction and export alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hubcls.errors import ConfigError

ChannelOrder = Literal["RGB", "BGR"]
ResizeRule = Literal["center_crop", "stretch", "letterbox"]
Interpolation = Literal["bilinear", "bicubic"]


@dataclass(frozen=True)
class Preprocessing:
    """Size, resize rule and normalisation that a module expects.

    Attributes:
        height: rows of the network's input, in pixels.
        width: columns of the network's input, in pixels.
        mean: per channel on the 0–1 scale, in `channel_order`.
        std: per channel on the 0–1 scale, in `channel_order`.
        channel_order: the order in which the network reads channels. Images are RGB
            everywhere outside the module's first layer.
        resize: "center_crop" cuts the largest centred window of the input's aspect
            ratio, scaled by `crop_fraction`; "stretch" ignores the aspect ratio;
            "letterbox" keeps the whole image and pads with grey.
        crop_fraction: share of that largest window's sides that is kept, in (0, 1].
        interpolation: how pixels are resampled.
    """

    height: int
    width: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1 / 255, 1 / 255, 1 / 255)
    channel_order: ChannelOrder = "RGB"
    resize: ResizeRule = "center_crop"
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        """Refuse values that no network can use.

        Raises:
            ConfigError: any value is out of range; lists all of them.
        """
        wrong = _wrong_values(self)
        if wrong:
            raise ConfigError("preprocessing is wrong:\n  " + "\n  ".join(wrong))

    def replaced(self, **changes: Any) -> Preprocessing:
        """A copy with some values changed."""
        return dataclasses.replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The values as plain JSON types."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """The inverse of `as_dict`."""
        converted: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**converted)


def _wrong_values(preprocessing: Preprocessing) -> list[str]:
    wrong = []
    for side in ("height", "width"):
        value = getattr(preprocessing, side)
        if not isinstance(value, int) or value < 1:
            wrong.append(f"{side} must be a positive whole number of pixels, not {value!r}")
    if not 0 < preprocessing.crop_fraction <= 1:
        wrong.append(f"crop_fraction must be in (0, 1], not {preprocessing.crop_fraction!r}")
    for field in ("mean", "std"):
        values = getattr(preprocessing, field)
        if len(values) != 3:
            wrong.append(f"{field} must hold three numbers, not {values!r}")
    if any(value <= 0 for value in preprocessing.std):
        wrong.append(f"std must be above 0 in every channel, not {preprocessing.std!r}")
    choices = {
        "channel_order": get_args(ChannelOrder),
        "resize": get_args(ResizeRule),
        "interpolation": get_args(Interpolation),
    }
    for field, allowed in choices.items():
        if getattr(preprocessing, field) not in allowed:
            given = getattr(preprocessing, field)
            wrong.append(f"{field} must be one of {', '.join(allowed)}, not {given!r}")
    return wrong
