"""What the catalogue says about a module, as checked dataclasses; needs no TensorFlow.

A YAML file in modules/ is one `Family`; each of its rows becomes one `ModuleSpec`.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from hubcls.errors import ConfigError
from hubcls.preprocessing import ChannelOrder, Interpolation, Preprocessing, ResizeRule

Source = Literal[
    "keras_applications", "native", "keras_hub", "tensorflow_hub", "keras_cv", "keras_file"
]
WeightFormat = Literal[
    "keras_h5",
    "keras",
    "pth",
    "safetensors",
    "pdparams",
    "paddle_tar",
    "keras_hub",
    "keras_cv",
    "saved_model",
]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.\-]*")


@dataclass(frozen=True)
class WeightSource:
    """Where published weights come from, and how their bytes are known to be right.

    Attributes:
        format: how the file is read.
        urls: addresses of the same file, tried in order.
        package: importable package from pip that carries the file.
        extra: hubcls' extra that installs `package`; None when it always is installed.
        preset: KerasHub's or keras-cv's name for the weights.
        file: file name, in the cache folder or inside `package`.
        size_bytes: length of the file, where known.
        sha256: where published.
        md5: where only this is published, as by keras.applications.
        trained_on: the data that the weights have seen.
    """

    format: WeightFormat
    urls: tuple[str, ...] = ()
    package: str | None = None
    extra: str | None = None
    preset: str | None = None
    file: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    trained_on: str = "ImageNet-1k"

    def __post_init__(self) -> None:
        """Refuse weights that cannot be found or checked.

        Raises:
            ConfigError: no place is named, or a hash has the wrong length.
        """
        if not (self.urls or self.package or self.preset):
            raise ConfigError("weights need urls, a package or a preset")
        if (self.urls or self.package) and not self.file and self.format != "saved_model":
            raise ConfigError("weights from urls or from a package need the name of the file")
        for algorithm, length in (("sha256", 64), ("md5", 32)):
            digest = getattr(self, algorithm)
            if digest is not None and not re.fullmatch(rf"[0-9a-f]{{{length}}}", digest):
                raise ConfigError(f"{algorithm} must be {length} hexadecimal digits in lower case")


@dataclass(frozen=True)
class Paper:
    """Where the architecture was published; `arxiv` is an identifier such as 1512.03385."""

    title: str
    year: int
    arxiv: str | None = None


@dataclass(frozen=True)
class Published:
    """ImageNet validation accuracy in percent, as `source` states it for these weights."""

    top1: float
    source: str
    top5: float | None = None

    def __post_init__(self) -> None:
        """Refuse shares given where percent are meant.

        Raises:
            ConfigError: a number is not in (1, 100].
        """
        for value in (self.top1, self.top5):
            if value is not None and not 1 < value <= 100:
                raise ConfigError(f"accuracies are in percent, not {value}")


@dataclass(frozen=True)
class InputRule:
    """`Preprocessing` without a size: what all rows of a family share."""

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1 / 255, 1 / 255, 1 / 255)
    channel_order: ChannelOrder = "RGB"
    resize: ResizeRule = "center_crop"
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bilinear"

    def sized(self, height: int, width: int) -> Preprocessing:
        """The preprocessing for an input of this size."""
        return Preprocessing(height=height, width=width, **dataclasses.asdict(self))


@dataclass(frozen=True)
class ModuleSpec:
    """Everything known about a module before it is built.

    Attributes:
        name: what `Module(name=...)` takes.
        family: the YAML file's family.
        summary: one line for listings.
        source: who builds it: the key of a file in hubcls/modules/sources/.
        builder: what the source calls: a class of keras.applications, an entry of our
            backbones, a preset, a handle.
        parameters: keyword arguments for the builder.
        preprocessing: the published input size and the true normalisation.
        num_features: channels of the backbone's output.
        num_parameters: of the backbone without its head.
        paper: where the architecture was published.
        licence: of the weights, an SPDX identifier where there is one.
        weights: the published weights; None when there are none.
        class_names: list of names that the weights' head answers with.
        published: accuracy of these weights.
        aliases: other names of these very weights.
        same_architecture: names that other libraries give to the same network with
            other weights. They are found by searching, not accepted as names.
        min_size: smallest side of the input, in pixels.
        version: PaddleHub's version string.
    """

    name: str
    family: str
    summary: str
    source: Source
    builder: str
    preprocessing: Preprocessing
    paper: Paper
    licence: str
    num_features: int | None = None
    num_parameters: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    weights: WeightSource | None = None
    class_names: str | None = "imagenet"
    published: Published | None = None
    aliases: tuple[str, ...] = ()
    same_architecture: tuple[str, ...] = ()
    min_size: int = 32
    version: str = "1.0.0"

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence of the weights forbids commercial use."""
        return "NC" in re.split(r"[^A-Z]+", self.licence.upper())


@dataclass(frozen=True)
class Row:
    """One module of a family; what is left out is the family's."""

    name: str
    builder: str
    input_size: int
    num_features: int
    num_parameters: int
    summary: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    preprocessing: InputRule | None = None
    weights: WeightSource | None = None
    published: Published | None = None
    paper: Paper | None = None
    licence: str | None = None
    aliases: tuple[str, ...] = ()
    same_architecture: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that would be hard to type, and sizes that cannot be.

        Raises:
            ConfigError: the name has other characters, or the size is not positive.
        """
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"the name {self.name!r} must consist of small letters, digits and _ . -"
            )
        if self.input_size < 1:
            raise ConfigError(f"input_size must be a positive number of pixels in {self.name}")


@dataclass(frozen=True)
class Family:
    """One YAML file of modules/: the facts that its rows share, and the rows.

    Attributes:
        family: name of the architecture, as in the file's name.
        summary: one line for listings.
        source: who builds the rows.
        paper: where the architecture was published.
        licence: of the weights.
        modules: the rows.
        preprocessing: normalisation and resize rule.
        parameters: keyword arguments for every row's builder.
        class_names: list of names that the heads answer with; None without heads.
        min_size: smallest side of the input, in pixels.
    """

    family: str
    summary: str
    source: Source
    paper: Paper
    licence: str
    modules: tuple[Row, ...]
    preprocessing: InputRule = field(default_factory=InputRule)
    parameters: dict[str, Any] = field(default_factory=dict)
    class_names: str | None = "imagenet"
    min_size: int = 32

    def specs(self) -> tuple[ModuleSpec, ...]:
        """One spec a row, with the family's facts filled in."""
        return tuple(self._spec(row) for row in self.modules)

    def _spec(self, row: Row) -> ModuleSpec:
        rule = row.preprocessing or self.preprocessing
        return ModuleSpec(
            name=row.name,
            family=self.family,
            summary=row.summary or self.summary,
            source=self.source,
            builder=row.builder,
            preprocessing=rule.sized(row.input_size, row.input_size),
            paper=row.paper or self.paper,
            licence=row.licence or self.licence,
            num_features=row.num_features,
            num_parameters=row.num_parameters,
            parameters={**self.parameters, **row.parameters},
            weights=row.weights,
            class_names=self.class_names,
            published=row.published,
            aliases=row.aliases,
            same_architecture=row.same_architecture,
            min_size=self.min_size,
        )
