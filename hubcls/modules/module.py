"""`Module`: a pretrained backbone by name, and every fact about its input."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from hubcls.errors import ConfigError
from hubcls.logs import logger
from hubcls.modules import finding
from hubcls.modules.feeding import Images, outputs
from hubcls.modules.groups import LayerGroup, groups_by_stride
from hubcls.modules.sources.built import Built
from hubcls.modules.spec import InputRule, ModuleSpec, Paper, formats_of
from hubcls.modules.stochastic_depth import with_stochastic_depth
from hubcls.preprocessing import Preprocessing
from hubcls.registry import Table

_SOURCES = Table(
    "source of modules",
    {
        "keras_applications": "hubcls.modules.sources.keras_applications:build",
        "keras_cv": "hubcls.modules.sources.keras_cv:build",
        "keras_file": "hubcls.modules.sources.keras_file:build",
        "keras_hub": "hubcls.modules.sources.keras_hub:build",
        "native": "hubcls.modules.sources.native:build",
        "tensorflow_hub": "hubcls.modules.sources.tensorflow_hub:build",
    },
)
_FROM_FOLDERS = Table(
    "kind of module folder",
    {
        "keras_file": "hubcls.modules.sources.keras_file:spec_of",
        "keras_hub": "hubcls.modules.sources.keras_hub:spec_of",
        "tensorflow_hub": "hubcls.modules.sources.tensorflow_hub:spec_of",
    },
)
_CLASS_NAMES = Table("list of class names", {"imagenet": "hubcls.imagenet:class_names"})


class Module:
    """A pretrained backbone, by its name in the catalogue, from a folder or from a handle.

    Nothing is downloaded or built before it is needed.

    Example:
        >>> module = Module(name="efficientnet_lite0_imagenet", weights=None)
        >>> module.get_expected_image_width()
        224

    Attributes:
        spec: everything the catalogue knows.
        preprocessing: what happens to images, at this module's input size.
        weights: None, "imagenet", a publisher or the path of a file.
        stochastic_depth: the highest rate of its residual sums.
    """

    def __init__(
        self,
        name: str | None = None,
        directory: str | Path | None = None,
        handle: str | None = None,
        *,
        weights: str | Path | None = "imagenet",
        input_size: int | tuple[int, int] | None = None,
        version: str | None = None,
        rule: InputRule | None = None,
        signature: str | None = None,
        output_key: str | None = None,
        stochastic_depth: float = 0.0,
    ) -> None:
        """Look the module up and check the arguments.

        Args:
            name: a name or an alias from the catalogue: `hubcls modules list`.
            directory: a folder instead: with a `.keras` model, a KerasHub preset or a
                SavedModel.
            handle: an address of TensorFlow Hub or the path of a SavedModel, instead.
            weights: "imagenet" for the published ones that the catalogue prefers, a
                publisher ("timm", "paddle" …) for its own, None for random ones, or a file
                of yours, which is taken to be like the published one of its format.
            input_size: side in pixels, or height and width; None takes the published.
            version: PaddleHub's argument; the catalogue holds one version of each.
            rule: how a folder's, a handle's or your own file's network wants its pixels,
                where it is not as the folder or the catalogue says.
            signature: of a SavedModel with several.
            output_key: of a SavedModel with several outputs.
            stochastic_depth: share of the training images, in [0, 1), that go without the last
                residual branch; linearly fewer go without earlier ones.

        Raises:
            ConfigError: the arguments do not go together, or the network cannot take
                images of that size.
            UnknownNameError: no module has this name.
        """
        _check_one_of(name=name, directory=directory, handle=handle)
        self._arguments = {
            "name": name,
            "directory": directory,
            "handle": handle,
            "weights": weights,
            "input_size": input_size,
            "version": version,
            "rule": rule,
            "signature": signature,
            "output_key": output_key,
            "stochastic_depth": stochastic_depth,
        }
        if name is not None:
            _check_not_given("a directory or a handle", signature=signature, output_key=output_key)
            self.spec = _for_weights(finding.spec(name), weights, rule)
        else:
            place = handle if handle is not None else str(directory)
            kind = "tensorflow_hub" if handle is not None else _kind_of(Path(place))
            if kind != "tensorflow_hub":
                _check_not_given("a SavedModel", signature=signature, output_key=output_key)
            chosen = {"rule": rule, "signature": signature, "output_key": output_key}
            given = {key: value for key, value in chosen.items() if value is not None}
            self.spec = _FROM_FOLDERS[kind](place, **given)
        self._is_foreign = name is None
        _check_version(self.spec, version)
        self.weights = _as_their_publisher(self.spec) if weights == "imagenet" else weights
        self.preprocessing = _sized(self.spec, input_size)
        _check_weights(self.spec, weights)
        _check_rate(stochastic_depth)
        self.stochastic_depth = stochastic_depth
        self._stage_models: dict[int, keras.Model] = {}

    def as_dict(self) -> dict[str, Any]:
        """What the constructor was given, by name, defaults included."""
        return dict(self._arguments)

    @property
    def is_random(self) -> bool:
        """Whether weights or rates of its backbone are drawn by chance when it is built."""
        return self._arguments["weights"] is None or self.stochastic_depth > 0

    @property
    def is_built(self) -> bool:
        """Whether its backbone exists already."""
        return "_built" in self.__dict__

    @property
    def name(self) -> str:
        """The module's name in the catalogue, or the folder or handle that it came from."""
        return self.spec.name

    @property
    def backbone(self) -> keras.Model:
        """The network without a head, built on first use.

        A flat functional model: "image", float32 [B, H, W, 3], RGB, 0–255, to a feature
        map [B, h, w, C] or a feature vector [B, C].
        """
        return self._built.backbone

    @property
    def layer_groups(self) -> tuple[LayerGroup, ...]:
        """Names of the layers with weights, stem to last stage; each in exactly one group."""
        return self._built.groups or groups_by_stride(self.backbone)

    @property
    def is_pretrained(self) -> bool:
        """Whether the backbone starts from trained weights."""
        return self.weights is not None

    @property
    def num_features(self) -> int:
        """Channels of the backbone's output."""
        return int(self.spec.num_features or self.backbone.output.shape[-1])

    def get_expected_image_width(self) -> int:
        """PaddleHub's getter: columns of the input, in pixels."""
        return self.preprocessing.width

    def get_expected_image_height(self) -> int:
        """PaddleHub's getter: rows of the input, in pixels."""
        return self.preprocessing.height

    def get_pretrained_images_mean(self) -> npt.NDArray[np.float32]:
        """PaddleHub's getter: [1, 3], on the 0–1 scale, in the order the network reads."""
        return np.array([self.preprocessing.mean], dtype=np.float32)

    def get_pretrained_images_std(self) -> npt.NDArray[np.float32]:
        """PaddleHub's getter: [1, 3], on the 0–1 scale, in the order the network reads."""
        return np.array([self.preprocessing.std], dtype=np.float32)

    def context(self, trainable: bool = True) -> tuple[dict[str, Any], dict[str, Any], keras.Model]:
        """PaddleHub's way in: tensors to build a network of one's own on.

        Args:
            trainable: whether the backbone's layers train. They belong to the module, so
                this holds for every use of it.

        Returns:
            Inputs {"image"}; outputs {"feature_map": vectors [B, C], "classification":
            ImageNet probabilities, if the weights have a head}; the model between them.
        """
        self.backbone.trainable = trainable
        outputs = dict(self._context_model.output)
        return {"image": self.backbone.input}, outputs, self._context_model

    def classify(self, images: Images, *, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """Names and probabilities of the most probable ImageNet classes of each image.

        Weights with a classifier for other classes give the classes' numbers as names.

        Args:
            images: a path, an array [H, W], [H, W, C] or [N, H, W, C] of 0–255, a Pillow
                image, or a sequence of such; their order is kept.
            top_k: number of classes for each image, best first.

        Raises:
            ConfigError: the weights have no head, or `top_k` is below 1.
            DataError: an image cannot be read.
        """
        if top_k < 1:
            raise ConfigError(f"top_k must be at least 1, not {top_k}")
        names, rows = self.class_names, self._predict(images, "classification")
        best = np.argsort(-rows, axis=1, kind="stable")[:, :top_k]
        return [
            [(names[place], float(row[place])) for place in places]
            for row, places in zip(rows, best, strict=True)
        ]

    @functools.cached_property
    def classifier(self) -> keras.Model:
        """The network with its original head: images [B, H, W, 3], 0–255, to logits [B, C].

        Raises:
            ConfigError: the weights have no head.
        """
        return keras.Model(self.backbone.input, self._head(self.backbone.output))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the original head; numbers where they are not those of its data set.

        Raises:
            ConfigError: the weights have no head.
        """
        names = _CLASS_NAMES[self.spec.class_names or "imagenet"]()
        count = self._head.output.shape[-1]
        if len(names) != count:  # a checkpoint of somebody's own
            return tuple(map(str, range(count)))
        return tuple(names)

    def features(self, images: Images, *, stage: int | None = None) -> npt.NDArray[np.float32]:
        """Feature vectors of images, float32 [N, C], or what a stage makes of them.

        Args:
            images: as for `classify`.
            stage: number of a layer group: 0 is the stem. Its output comes as it is, maps
                [N, h, w, C] or tokens [N, T, C]; None gives the backbone's, averaged.

        Raises:
            ConfigError: there is no such stage.
            DataError: an image cannot be read.
        """
        if stage is None:
            return self._predict(images, "feature_map")
        groups = self.layer_groups
        if not 0 <= stage < len(groups):
            raise ConfigError(f"{self.name} has stages 0 to {len(groups) - 1}, not {stage}")
        if stage not in self._stage_models:
            ends = {operation.name: operation.output for operation in self.backbone.operations}
            model = keras.Model(self.backbone.input, ends[groups[stage].output])
            self._stage_models[stage] = model
        return outputs(self._stage_models[stage].predict_on_batch, images, self.preprocessing)

    def summary(self) -> str:
        """What is known about the module, in a few lines of text."""
        spec, rule = self.spec, self.preprocessing
        published = spec.published if self._has_published_weights else None
        accuracy = f"{published.top1} % top-1 ({published.source})" if published else "not stated"
        origin = spec.weights.publisher if spec.weights and self._has_published_weights else ""
        licence = f", licence {spec.licence}" if self._has_published_weights else ""
        lines = {
            "module": f"{self.name} ({spec.summary})",
            "built by": f"{spec.source}: {spec.builder}",
            "weights": f"{self._weights_in_words()}{origin and f', by {origin}'}{licence}",
            "images": f"{rule.height} x {rule.width}, {rule.channel_order}, {rule.resize}",
            "mean, std": f"{_short(rule.mean)}, {_short(rule.std)}",
            "backbone": f"{_count(spec.num_parameters)} parameters, "
            f"{_count(spec.num_features)} features",
            "ImageNet": accuracy,
            "paper": _cited(spec.paper),
        }
        return "\n".join(f"{key + ':':<11}{value}" for key, value in lines.items())

    def __repr__(self) -> str:
        size = f"{self.preprocessing.height}x{self.preprocessing.width}"
        return f"<Module {self.name}: {self._weights_in_words()} weights, {size}>"

    def _weights_in_words(self) -> str:
        if self.weights is None:
            return "random"
        if self._is_foreign:
            return "its own"
        return str(self.weights)

    @property
    def _has_published_weights(self) -> bool:
        return self.weights == "imagenet" or self.weights in self.spec.publishers

    @functools.cached_property
    def _built(self) -> Built:
        if self.spec.is_non_commercial and self.weights is not None:
            logger.warning(
                "the published weights of %s are licensed %s: neither they nor what descends "
                "from them is for commercial use",
                self.name,
                self.spec.licence,
            )
        built: Built = _SOURCES[self.spec.source](
            self.spec,
            weights="imagenet" if self._has_published_weights else self.weights,
            height=self.preprocessing.height,
            width=self.preprocessing.width,
        )
        if self.stochastic_depth:
            built = with_stochastic_depth(built, self.stochastic_depth, self.name)
        # How `module_of` finds the way back from a tensor that `context` gave.
        built.backbone.input.hubcls_module = self
        return built

    @property
    def _head(self) -> keras.Model:
        if self._built.head is None:
            raise ConfigError(
                f"{self.name} with weights={self.weights!r} has no classification head, so it "
                "has no class names to give. Fine-tune it, or take weights='imagenet'."
            )
        return self._built.head

    @functools.cached_property
    def _context_model(self) -> keras.Model:
        features = self.backbone.output
        outputs = {"feature_map": _pooled(features)}
        if self._built.head is not None:
            logits = self._built.head(features)
            softmax = keras.layers.Softmax(dtype="float32", name="classification")
            outputs["classification"] = softmax(logits)
        return keras.Model(self.backbone.input, outputs, name=f"{self.backbone.name}_context")

    def _predict(self, images: Images, output: str) -> npt.NDArray[np.float32]:
        predict = self._context_model.predict_on_batch
        return outputs(lambda batch: predict(batch)[output], images, self.preprocessing)


def module_of(feature: Any) -> Module | None:
    """The module from whose `context` a tensor comes, directly or through added layers.

    Args:
        feature: a Keras tensor.
    """
    for source in keras.utils.get_source_inputs(feature):
        module: Module | None = getattr(source, "hubcls_module", None)
        if module is not None:
            return module
    return None


def _pooled(features: Any) -> Any:
    if len(features.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(name="feature_map")(features)
    return keras.layers.Identity(name="feature_map")(features)


def _kind_of(folder: Path) -> str:
    """Which source reads this folder."""
    if (folder / "saved_model.pb").is_file():
        return "tensorflow_hub"
    if (folder / "config.json").is_file():
        return "keras_hub"
    if any(folder.glob("*.keras")):
        return "keras_file"
    raise ConfigError(
        f"{folder} is no module: it should hold a .keras model, a KerasHub preset (config.json) "
        "or a SavedModel (saved_model.pb)"
    )


def _sized(spec: ModuleSpec, input_size: int | tuple[int, int] | None) -> Preprocessing:
    if input_size is None:
        return spec.preprocessing
    sides = tuple(input_size) if isinstance(input_size, (list, tuple)) else (input_size,) * 2
    if len(sides) != 2 or any(not isinstance(side, int) or side < spec.min_size for side in sides):
        raise ConfigError(
            f"input_size must be a number of pixels or (height, width), each at least "
            f"{spec.min_size} for {spec.name}, not {input_size!r}"
        )
    return spec.preprocessing.replaced(height=sides[0], width=sides[1])


def _for_weights(
    spec: ModuleSpec, weights: str | Path | None, rule: InputRule | None
) -> ModuleSpec:
    chosen = spec.for_weights(weights)
    formats = formats_of(weights) if weights and weights not in spec.publishers else ()
    if formats and not (chosen.weights and chosen.weights.format in formats):
        logger.warning(
            "nobody publishes weights of %s in the format of %s; its pixels are normalised, and "
            "its network built, as for %s weights",
            spec.name,
            weights,
            (chosen.weights and chosen.weights.publisher) or "unknown",
        )
    if rule is None:
        return chosen
    if weights is None or weights == "imagenet" or weights in spec.publishers:
        raise ConfigError("rule can only be given with a directory, a handle or a file of weights")
    size = chosen.preprocessing
    return dataclasses.replace(chosen, preprocessing=rule.sized(size.height, size.width))


def _as_their_publisher(spec: ModuleSpec) -> str:
    """What `weights` must be to get the published weights of this variant by the row's name."""
    is_preferred = not spec.variants or spec.weights == spec.variants[0].weights
    if is_preferred or spec.weights is None or spec.weights.publisher is None:
        return "imagenet"
    return spec.weights.publisher


def _check_one_of(**places: Any) -> None:
    given = [key for key, value in places.items() if value is not None]
    if len(given) != 1:
        raise ConfigError(
            f"Module takes exactly one of {', '.join(places)}; it got {', '.join(given) or 'none'}"
        )


def _check_not_given(owner: str, **options: Any) -> None:
    given = [key for key, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{', '.join(given)} can only be given with {owner}; leave them out here")


def _check_version(spec: ModuleSpec, version: str | None) -> None:
    if version not in (None, spec.version):
        raise ConfigError(
            f"{spec.name} exists in version {spec.version}, not {version}; leave version= out"
        )


def _check_weights(spec: ModuleSpec, weights: str | Path | None) -> None:
    if weights is None or weights == "imagenet" or weights in spec.publishers:
        return
    if not Path(weights).exists():
        publishers = "".join(f' "{name}",' for name in spec.publishers)
        raise ConfigError(
            f'weights must be "imagenet",{publishers} None or an existing file; there is no '
            f"{weights}"
        )


def _check_rate(rate: float) -> None:
    if not isinstance(rate, int | float) or not 0 <= rate < 1:
        raise ConfigError(f"stochastic_depth must be in [0, 1), not {rate!r}")


def _cited(paper: Paper) -> str:
    if not paper.year:
        return paper.title
    arxiv = f", arXiv:{paper.arxiv}" if paper.arxiv else ""
    return f"{paper.title} ({paper.year}{arxiv})"


def _count(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


def _short(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.4g}" for value in values) + ")"
