"""Networks that convolve half of their channels and shuffle the halves.

ShuffleNet V2 (Ma et al. 2018, arXiv:1807.11164, section 3.2 and table 5; layers are called as
in torchvision) and ESNet, the backbone of PP-PicoDet (Yu et al. 2021, arXiv:2111.00902,
section 3.1; as in PaddleClas).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from hubcls.backbones.blocks import (
    Activation,
    Style,
    activated,
    classified,
    convolved,
    convolved_and_normalised,
    globally_pooled,
    max_pooled,
    squeezed_and_excited,
)
from hubcls.backbones.key_rules import KeyRules, substituted
from hubcls.backbones.layers import ChannelShuffle


@dataclass(frozen=True)
class Stage:
    """Units in a row; the first halves the map's sides.

    Attributes:
        filters: channels that come out.
        num_units: units in the row.
    """

    filters: int
    num_units: int


@dataclass(frozen=True)
class ShuffleNet:
    """ShuffleNet V2.

    Attributes:
        stages: the rows of units.
        top_filters: channels of the last 1×1 convolution: the feature map's.
        stem_filters: channels of the first convolution (3×3, stride 2).
        style: activation and BatchNorm.
    """

    stages: tuple[Stage, ...]
    top_filters: int
    stem_filters: int = 24
    style: Style = field(default_factory=Style)

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem's pool and of every stage, the last behind the top convolution."""
        outputs = [_stem(x, self.stem_filters, self.style, names=("conv1.0", "conv1.1"))]
        for number, stage in enumerate(self.stages, start=2):
            x = self._halved(outputs[-1], stage.filters, f"stage{number}.0")
            for unit in range(1, stage.num_units):
                x = self._kept(x, f"stage{number}.{unit}")
            outputs.append(x)
        outputs[-1] = self._pointwise(x, self.top_filters, "conv5", first=0)
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        return classified(features, num_classes, name="fc")

    def key_rules(self) -> Mapping[str, KeyRules]:
        """Torchvision's names, and both of PaddleClas."""
        return {
            "torchvision": KeyRules(),
            "PaddleClas": KeyRules("paddle", substituted(*_DYGRAPH)),
            "PaddlePaddle's static": KeyRules("paddle_static", substituted(*_STATIC)),
        }

    def _halved(self, x: Any, filters: int, name: str) -> Any:
        """Two branches from the whole map, both of stride 2."""
        shortcut = self._depthwise(x, f"{name}.branch1", first=0, strides=2)
        shortcut = self._pointwise(shortcut, filters // 2, f"{name}.branch1", first=2)
        return _shuffled(shortcut, self._branch(x, filters // 2, name, strides=2), name)

    def _kept(self, x: Any, name: str) -> Any:
        """One half of the channels as it is, the other convolved."""
        kept, rest = _halves(x)
        return _shuffled(kept, self._branch(rest, rest.shape[-1], name, strides=1), name)

    def _branch(self, x: Any, filters: int, name: str, *, strides: int) -> Any:
        x = self._pointwise(x, filters, f"{name}.branch2", first=0)
        x = self._depthwise(x, f"{name}.branch2", first=3, strides=strides)
        return self._pointwise(x, filters, f"{name}.branch2", first=5)

    def _pointwise(self, x: Any, filters: int, name: str, *, first: int) -> Any:
        names = (f"{name}.{first}", f"{name}.{first + 1}")
        return convolved_and_normalised(x, filters, 1, self.style, names=names)

    def _depthwise(self, x: Any, name: str, *, first: int, strides: int) -> Any:
        names = (f"{name}.{first}", f"{name}.{first + 1}")
        return convolved_and_normalised(
            x, None, 3, self.style, names=names, strides=strides, activation="linear"
        )


@dataclass(frozen=True)
class ESNet:
    """Enhanced ShuffleNet: squeeze-and-excitation, and ghosts of channels at stride 1.

    Attributes:
        stages: the rows of units.
        top_filters: channels of the last 1×1 convolution: the feature map's.
        hidden_units: of the dense layer before the classifier.
        stem_filters: channels of the first convolution (3×3, stride 2).
        dropout: rate before the classifier.
        style: activation and BatchNorm.
    """

    stages: tuple[Stage, ...]
    top_filters: int = 1024
    hidden_units: int = 1280
    stem_filters: int = 24
    dropout: float = 0.2
    style: Style = field(default_factory=lambda: Style("hard_silu"))

    def stage_outputs(self, x: Any) -> list[Any]:
        """Outputs of the stem's pool and of every stage, the last behind the top convolution."""
        outputs = [_stem(x, self.stem_filters, self.style, names=("conv1.conv", "conv1.bn"))]
        unit = 0
        for stage in self.stages:
            x = self._halved(outputs[-1], stage.filters, f"blocks.{unit}")
            for place in range(unit + 1, unit + stage.num_units):
                x = self._kept(x, f"blocks.{place}")
            unit += stage.num_units
            outputs.append(x)
        outputs[-1] = self._convolved(x, self.top_filters, "conv2")
        return outputs

    def logits(self, features: Any, num_classes: int) -> Any:
        """The original classifier's logits, float32 [B, num_classes]."""
        x = globally_pooled(features, name="avg_pool", keepdims=True)
        x = convolved(x, self.hidden_units, name="last_conv")
        x = activated(x, self.style.activation, name="last_conv")
        return classified(x, num_classes, name="fc", dropout=self.dropout)

    def key_rules(self) -> Mapping[str, KeyRules]:
        """PaddleClas' names; its dropout shrinks what the classifier sees."""
        return {"PaddleClas": KeyRules("paddle", factors={"fc": 1 - self.dropout})}

    def _halved(self, x: Any, filters: int, name: str) -> Any:
        """Two branches from the whole map, joined by a separable convolution."""
        shortcut = self._convolved(x, None, f"{name}.dw_1", strides=2, activation="linear")
        shortcut = self._convolved(shortcut, filters // 2, f"{name}.pw_1")
        x = self._convolved(x, filters // 2, f"{name}.pw_2_1")
        x = self._convolved(x, None, f"{name}.dw_2", strides=2, activation="linear")
        x = self._convolved(_excited(x, name), filters // 2, f"{name}.pw_2_2")
        x = keras.layers.Concatenate(name=f"{name}.join")([shortcut, x])
        return self._convolved(
            self._convolved(x, None, f"{name}.concat_dw"), filters, f"{name}.concat_pw"
        )

    def _kept(self, x: Any, name: str) -> Any:
        """One half of the channels as it is, the other convolved next to its own ghosts."""
        filters = x.shape[-1]
        kept, rest = _halves(x)
        rest = self._convolved(rest, filters // 2, f"{name}.pw_1_1")
        ghosts = self._convolved(rest, None, f"{name}.dw_1", activation="linear")
        rest = keras.layers.Concatenate(name=f"{name}.ghosts")([rest, ghosts])
        rest = self._convolved(_excited(rest, name), filters // 2, f"{name}.pw_1_2")
        return _shuffled(kept, rest, name)

    def _convolved(
        self,
        x: Any,
        filters: int | None,
        name: str,
        *,
        strides: int = 1,
        activation: Activation | None = None,
    ) -> Any:
        """A 1×1 convolution, or a 3×3 of each channel by itself."""
        return convolved_and_normalised(
            x,
            filters,
            1 if filters else 3,
            self.style,
            names=(f"{name}.conv", f"{name}.bn"),
            strides=strides,
            activation=activation,
        )


def _stem(x: Any, filters: int, style: Style, *, names: tuple[str, str]) -> Any:
    x = convolved_and_normalised(x, filters, 3, style, names=names, strides=2)
    return max_pooled(x, 3, 2, padding=1, name="maxpool")


def _excited(x: Any, name: str) -> Any:
    return squeezed_and_excited(
        x, x.shape[-1] // 4, names=(f"{name}.se.conv1", f"{name}.se.conv2"), gate="hard_sigmoid"
    )


def _halves(x: Any) -> tuple[Any, Any]:
    half = x.shape[-1] // 2
    return x[..., :half], x[..., half:]


def _shuffled(first: Any, second: Any, name: str) -> Any:
    joined = keras.layers.Concatenate(name=f"{name}.join")([first, second])
    return ChannelShuffle(2, name=f"{name}.shuffle")(joined)


# The parts of a unit by the place of their convolutions: in PaddleClas' names and, as numbers,
# in the older ones. Both count the units from 1.
_PARTS = {
    ("branch1", 0): ("_conv_dw_1", 4),
    ("branch1", 2): ("_conv_linear_1", 5),
    ("branch2", 0): ("_conv_pw", 1),
    ("branch2", 3): ("_conv_dw", 2),
    ("branch2", 5): ("_conv_linear", 3),
}
_UNIT = r"stage(\d)\.(\d+)\.(branch\d)\.(\d)"
_OUTER = r"(conv[15])\.(\d)"


def _dygraph_unit(stage: int, unit: int, branch: str, place: int) -> str:
    is_bn = (branch, place) not in _PARTS
    part, _ = _PARTS[branch, place - is_bn]
    if unit == 0 and branch == "branch2":
        part += "_2"
    return f"{stage}_{unit + 1}.{part}.{'_batch_norm' if is_bn else '_conv'}"


def _static_unit(stage: int, unit: int, branch: str, place: int) -> str:
    is_bn = (branch, place) not in _PARTS
    _, number = _PARTS[branch, place - is_bn]
    return f"stage_{stage}_{unit + 1}_conv{number}{'_bn' if is_bn else ''}"


_DYGRAPH = (
    (_UNIT, _dygraph_unit),
    (_OUTER, lambda conv, place: ("_conv1", "_last_conv")[conv == "conv5"]
     + ("._conv", "._batch_norm")[place]),
    ("fc", "_fc"),
)  # fmt: skip
_STATIC = (
    (_UNIT, _static_unit),
    (_OUTER, lambda conv, place: conv.replace("conv1", "stage1_conv") + ("", "_bn")[place]),
    ("fc", "fc6"),
)
