"""What the catalogue says about a module, as checked dataclasses; needs no TensorFlow.

A YAML file in modules/ is one `Family`; each of its rows becomes one `ModuleSpec`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
# What a file's ending says about who wrote it; the first that fits counts.
_FORMATS_OF_ENDINGS: Mapping[tuple[str, ...], tuple[WeightFormat, ...]] = {
    # Training scripts of PyTorch's examples and of timm save model_best.pth.tar.
    (".pth.tar", ".pt.tar", ".pth", ".pt", ".bin"): ("pth", "safetensors"),
    (".safetensors",): ("safetensors", "pth"),
    (".pdparams",): ("pdparams",),
    (".tar", ".tar.gz", ".tgz"): ("paddle_tar", "pdparams"),
}


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
class WeightSource:
    """One set of published weights: where it is, how its bytes are known to be right.

    Weights from different publishers want different pixels, and now and then another
    variant of the network. What is left out here is as the row says.

    Attributes:
        format: how the file is read.
        publisher: who trained or converted them; `Module(name, weights=publisher)` takes
            them. May be left out where a row has one source.
        urls: addresses of the same file, tried in order.
        package: importable package from pip that carries the file.
        extra: hubcls' extra that installs `package`; None when it always is installed.
        preset: KerasHub's or keras-cv's name for the weights.
        file: file name, in the cache folder or inside `package`.
        size_bytes: length of the file, where known.
        sha256: where published.
        md5: where only this is published, as by keras.applications.
        trained_on: the data that the weights have seen.
        licence: of these weights.
        published: accuracy of these weights.
        preprocessing: what these weights were trained with.
        source: who builds the network for them.
        builder: what that source calls; the row's parameters are not for it.
        parameters: replace the row's of the same name.
        input_size: side of the images that `published` was measured on, where it is not
            the row's.
        aliases: names that their publisher gives to these very weights.
    """

    format: WeightFormat
    publisher: str | None = None
    urls: tuple[str, ...] = ()
    package: str | None = None
    extra: str | None = None
    preset: str | None = None
    file: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    trained_on: str = "ImageNet-1k"
    licence: str | None = None
    published: Published | None = None
    preprocessing: InputRule | None = None
    source: Source | None = None
    builder: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    input_size: int | None = None
    aliases: tuple[str, ...] = ()

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
        num_macs: multiplications and additions for one image of the published size, head
            included, counted as one.
        paper: where the architecture was published.
        licence: of the weights, an SPDX identifier where there is one.
        weights: the published weights; None when there are none.
        variants: this module with the weights of each publisher, the preferred one first.
        class_names: list of names that the weights' head answers with.
        published: accuracy of these weights.
        aliases: other names of these very weights.
        same_architecture: names that other libraries give to the same network with
            other weights. They are found by searching, not accepted as names.
        min_size: smallest side of the input, in pixels.
        note: what somebody should know before taking it, e.g. why there are no weights.
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
    num_macs: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    weights: WeightSource | None = None
    variants: tuple[ModuleSpec, ...] = ()
    class_names: str | None = "imagenet"
    published: Published | None = None
    aliases: tuple[str, ...] = ()
    same_architecture: tuple[str, ...] = ()
    min_size: int = 32
    note: str | None = None
    version: str = "1.0.0"

    @property
    def is_non_commercial(self) -> bool:
        """Whether the licence of the weights forbids commercial use."""
        return "NC" in re.split(r"[^A-Z]+", self.licence.upper())

    @property
    def publishers(self) -> tuple[str, ...]:
        """Who publishes weights for this module, the preferred one first."""
        named = (variant.weights.publisher for variant in self.variants if variant.weights)
        return tuple(name for name in named if name)

    def for_weights(self, weights: str | Path | None) -> ModuleSpec:
        """The module as these weights want it: pixels, variant of the network, licence.

        Args:
            weights: a publisher; or a file, which is taken to be like the first published
                weights of its format; "imagenet" and None stand for the preferred ones.
        """
        if weights in self.publishers:
            chosen = self.variants[self.publishers.index(str(weights))]
            return dataclasses.replace(chosen, variants=self.variants)
        for known in formats_of(weights) if weights else ():
            for variant in self.variants:
                if variant.weights and variant.weights.format == known:
                    return dataclasses.replace(variant, variants=self.variants)
        return self


def formats_of(file: str | Path) -> tuple[WeightFormat, ...]:
    """The formats in which weights like those of a file are published, the likeliest first.

    Args:
        file: a path; a folder is one with a file for each variable.

    Returns:
        Nothing for Keras' own files, and for endings that say nothing.
    """
    name = "folder.tar" if Path(file).is_dir() else Path(file).name.lower()
    for endings, formats in _FORMATS_OF_ENDINGS.items():
        if name.endswith(endings):
            return formats
    return ()


@dataclass(frozen=True)
class Row:
    """One module of a family; what is left out is the family's."""

    name: str
    builder: str
    input_size: int
    num_features: int
    num_parameters: int
    num_macs: int | None = None
    summary: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    preprocessing: InputRule | None = None
    weights: tuple[WeightSource, ...] = ()
    published: Published | None = None
    paper: Paper | None = None
    licence: str | None = None
    aliases: tuple[str, ...] = ()
    same_architecture: tuple[str, ...] = ()
    note: str | None = None

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
        publishers = [source.publisher for source in self.weights]
        if len(set(publishers)) != len(publishers) or (len(publishers) > 1 and None in publishers):
            raise ConfigError(f"the weights of {self.name} need publishers of different names")


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
        variants = tuple(self._variant(row, source) for source in row.weights or (None,))
        return dataclasses.replace(variants[0], variants=variants)

    def _variant(self, row: Row, weights: WeightSource | None) -> ModuleSpec:
        own = weights or _NO_WEIGHTS
        rule = own.preprocessing or row.preprocessing or self.preprocessing
        is_preferred = weights is None or weights is row.weights[0]
        shared = {} if own.builder else {**self.parameters, **row.parameters}
        return ModuleSpec(
            name=row.name,
            family=self.family,
            summary=row.summary or self.summary,
            source=own.source or self.source,
            builder=own.builder or row.builder,
            preprocessing=rule.sized(*(own.input_size or row.input_size,) * 2),
            paper=row.paper or self.paper,
            licence=own.licence or row.licence or self.licence,
            num_features=row.num_features,
            num_parameters=row.num_parameters,
            num_macs=row.num_macs,
            parameters={**shared, **own.parameters},
            weights=weights,
            class_names=self.class_names,
            published=own.published or (row.published if is_preferred else None),
            aliases=(*row.aliases, *(name for one in row.weights for name in one.aliases)),
            same_architecture=row.same_architecture,
            min_size=self.min_size,
            note=row.note,
        )


_NO_WEIGHTS = WeightSource(format="keras", preset="none")
