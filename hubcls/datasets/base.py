"""What every data set is: named classes, and labelled images in splits."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hubcls.datasets.splitting import divide, strata, stratified_subset
from hubcls.errors import ConfigError, DataError
from hubcls.logs import logger

PHASES = ("train", "val", "test")
_ALIASES = {"dev": "val", "validation": "val", "eval": "val"}
Self = TypeVar("Self", bound="Dataset")


class Example(NamedTuple):
    """One labelled image; unpacks to PaddleHub's pair of path and label.

    Attributes:
        image: a path, or uint8 [H, W, C].
        label: the class's number; where an image may show several, the numbers of all; None
            where it is to be predicted.
    """

    image: str | NDArray[np.uint8]
    label: int | tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class Split:
    """The examples of one phase.

    Attributes:
        images: paths, or uint8 [N, H, W, C] with C in {1, 3}.
        labels: int64, the class of each image [N]; or, where an image may show several, 1
            for every class that it shows and 0 for the others [N, C]; or [N, 0] for images
            that nobody has labelled.
        needs_pillow: bool [N]; True for files that TensorFlow would not decode rightly.
            When left out, all True for paths: whatever they are, Pillow reads them right.
    """

    images: tuple[str, ...] | NDArray[np.uint8]
    labels: NDArray[np.int64]
    needs_pillow: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __post_init__(self) -> None:
        """Bring the fields to their types.

        Raises:
            DataError: the images are of another form, or the lengths differ.
        """
        if not isinstance(self.images, np.ndarray):
            object.__setattr__(self, "images", tuple(map(str, self.images)))
        elif self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(
                "images in memory must be uint8 [N, H, W, C], "
                f"not {self.images.dtype} {list(self.images.shape)}"
            )
        elif self.images.shape[3] not in (1, 3):
            raise DataError(f"images must have 1 or 3 channels, not {self.images.shape[3]}")
        count = len(self.images)
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if len(self.needs_pillow) == 0:
            is_unknown = not isinstance(self.images, np.ndarray)
            object.__setattr__(self, "needs_pillow", np.full(count, is_unknown, np.bool_))
        is_right = self.labels.ndim in (1, 2) and len(self.labels) == count
        if not is_right or self.needs_pillow.shape != (count,):
            raise DataError(
                f"{count} images came with labels of shape {list(self.labels.shape)} "
                f"and needs_pillow of shape {list(self.needs_pillow.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_multi_label(self) -> bool:
        """Whether each image has a row of labels."""
        return self.labels.ndim == 2

    def subset(self, indices: Sequence[int] | NDArray[np.int64]) -> Split:
        """The examples at `indices`, in that order."""
        places = np.asarray(indices, np.int64)
        if isinstance(self.images, np.ndarray):
            return Split(self.images[places], self.labels[places])
        images = tuple(self.images[place] for place in places)
        return Split(images, self.labels[places], self.needs_pillow[places])

    def joined(self, other: Split) -> Split:
        """These examples and then the other's.

        Raises:
            DataError: one holds files and the other arrays, or arrays of another size.
        """
        if isinstance(self.images, tuple) and isinstance(other.images, tuple):
            images: Any = self.images + other.images
        elif (
            isinstance(self.images, np.ndarray)
            and isinstance(other.images, np.ndarray)
            and self.images.shape[1:] == other.images.shape[1:]
        ):
            images = np.concatenate([self.images, other.images])
        else:
            raise DataError(
                "images can be joined where both are files, or both arrays of one size; "
                "write the arrays to files"
            )
        return Split(
            images,
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.needs_pillow, other.needs_pillow]),
        )

    def fingerprint(self) -> str:
        """A hash that changes with any image, label or their order.

        Files count by path, size and time of change; their bytes are not read.
        """
        digest = hashlib.sha256(self.labels.tobytes())
        if isinstance(self.images, np.ndarray):
            digest.update(repr(self.images.shape).encode())
            digest.update(np.ascontiguousarray(self.images).data)
            return digest.hexdigest()
        for path in self.images:
            status = os.stat(path)  # noqa: PTH116 - 100,000 files: Path objects cost a second
            digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class LabelKeeping:
    """Which augmentations keep the label of a data set's images.

    Attributes:
        horizontal_flip: a mirrored image is still of its class.
        random_crop: a part of an image is still of its class. Where it is not, images are
            shown whole: no centre crop either.
    """

    horizontal_flip: bool = True
    random_crop: bool = True


@dataclass(frozen=True)
class DatasetInfo:
    """The facts of a data set.

    Attributes:
        name: for logs and reports.
        class_names: the name of class 0, 1, …
        num_examples: phase → number of examples.
        is_multi_label: an image may have several classes.
        keeps_label: which augmentations suit it.
        excluded: (path, reason) of every image that was left out.
        licence: what the images may be used for.
        source: where the images came from.
    """

    name: str
    class_names: tuple[str, ...]
    num_examples: Mapping[str, int] = field(default_factory=dict)
    is_multi_label: bool = False
    keeps_label: LabelKeeping = field(default_factory=LabelKeeping)
    excluded: tuple[tuple[str, str], ...] = ()
    licence: str = ""
    source: str = ""


class Dataset:
    """Labelled images in splits; PaddleHub's `BaseDataset` in shape.

    Make one of your own arrays:
    `Dataset(DatasetInfo("mine", ("cat", "dog")), {"train": Split(images, labels)})`.
    For files, `ImageFolder`, `ImageList` and `ImageTable` check every one of them first.
    """

    info: DatasetInfo
    _call: tuple[tuple[Any, ...], dict[str, Any]]
    _train_examples: tuple[int, int] | None = None

    def __new__(cls: type[Self], *arguments: Any, **named: Any) -> Self:
        """Remember how the data set was made, for `arguments`."""
        made = super().__new__(cls)
        made._call = (arguments, named)
        return made

    def __init__(
        self,
        info: DatasetInfo,
        splits: Mapping[str, Split],
        *,
        val_fraction: float = 0.15,
        seed: int = 0,
        predict_images: Sequence[str] = (),
    ) -> None:
        """Hold splits; where there is a training but no validation split, cut one from it.

        Args:
            info: the facts; `num_examples` is counted here.
            splits: "train", "val" (or "dev"), "test" → its examples; any may be missing.
            val_fraction: share of the training examples that becomes the missing split.
            seed: which ones.
            predict_images: paths of images without labels.

        Raises:
            DataError: class names repeat, a label has no class, or a split is empty.
            ConfigError: a phase is unknown, or `val_fraction` is not in (0, 1).
        """
        self._splits = {_canonical(phase): split for phase, split in splits.items()}
        self._predict_images = tuple(predict_images)
        _check_splits(info, self._splits)
        if "train" in self._splits and "val" not in self._splits:
            self._splits |= _cut_validation(info.name, self._splits["train"], val_fraction, seed)
        counts = {phase: len(self._splits[phase]) for phase in self._phases()}
        self.info = dataclasses.replace(info, num_examples=counts)

    def split(self, phase: str) -> Split:
        """The examples of "train", "val" (or "dev") or "test".

        Raises:
            ConfigError: the data set has no such split; names those it has.
        """
        if not self.has(phase):
            raise ConfigError(
                f"data set {self.info.name} has no {phase!r} split; "
                f"it has: {', '.join(self._phases()) or 'none'}"
            )
        return self._splits[_canonical(phase)]

    def has(self, phase: str) -> bool:
        """Whether there is a split for `phase`.

        Raises:
            ConfigError: there is no such phase in any data set.
        """
        return _canonical(phase) in self._splits

    def with_train_examples(self: Self, count: int, *, seed: int = 0) -> Self:
        """A copy with `count` training examples, stratified; other splits stay whole.

        Raises:
            ConfigError: there are fewer training examples, or `count` is below 1.
        """
        train = self.split("train")
        if not 1 <= count <= len(train):
            raise ConfigError(
                f"train examples must be between 1 and the {len(train)} that "
                f"{self.info.name} has, not {count!r}"
            )
        chosen = copy.copy(self)
        chosen._train_examples = (count, seed)
        subset = train.subset(stratified_subset(strata(train.labels), count, seed=seed))
        chosen._splits = {**self._splits, "train": subset}
        chosen.info = dataclasses.replace(
            self.info, num_examples={**self.info.num_examples, "train": count}
        )
        return chosen

    def arguments(self) -> dict[str, Any]:
        """Every argument that the data set's class was called with, defaults included."""
        positional, named = self._call
        bound = inspect.signature(type(self).__init__).bind(self, *positional, **named)
        bound.apply_defaults()
        return dict(list(bound.arguments.items())[1:])

    @property
    def chosen_train_examples(self) -> tuple[int, int] | None:
        """Count and seed of `with_train_examples`; None where the whole split is there."""
        return self._train_examples

    @property
    def num_labels(self) -> int:
        """The number of classes."""
        return len(self.info.class_names)

    def get_labels(self) -> list[str]:
        """The class names, by number."""
        return list(self.info.class_names)

    def label_dict(self) -> dict[int, str]:
        """Class number → class name."""
        return dict(enumerate(self.info.class_names))

    def get_examples(self, phase: str) -> list[Example]:
        """The examples of a phase, "predict" included; none when there is no such split."""
        if phase == "predict":
            return [Example(path, None) for path in self._predict_images]
        if not self.has(phase):
            return []
        split = self.split(phase)
        return [
            Example(image, tuple(np.flatnonzero(label).tolist()) if label.ndim else int(label))
            for image, label in zip(split.images, split.labels, strict=True)
        ]

    def get_train_examples(self) -> list[Example]:
        """The training examples."""
        return self.get_examples("train")

    def get_val_examples(self) -> list[Example]:
        """The validation examples."""
        return self.get_examples("val")

    def get_dev_examples(self) -> list[Example]:
        """The validation examples, by PaddleHub's name."""
        return self.get_examples("val")

    def get_test_examples(self) -> list[Example]:
        """The test examples."""
        return self.get_examples("test")

    def get_predict_examples(self) -> list[Example]:
        """The images whose label is to be predicted."""
        return self.get_examples("predict")

    def __str__(self) -> str:
        train, val, test = (self.info.num_examples.get(phase, 0) for phase in PHASES)
        return (
            f"Dataset: {self.info.name} with {train} train examples, {val} dev examples "
            f"and {test} test examples"
        )

    def _phases(self) -> list[str]:
        return [phase for phase in PHASES if phase in self._splits]


def divided(
    whole: Split, *, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, Split]:
    """One split as train, val and (unless its fraction is 0) test, stratified by seed.

    Raises:
        ConfigError: a fraction is out of range.
    """
    parts = divide(
        strata(whole.labels), val_fraction=val_fraction, test_fraction=test_fraction, seed=seed
    )
    return {phase: whole.subset(indices) for phase, indices in parts.items()}


def _canonical(phase: str) -> str:
    name = _ALIASES.get(phase, phase)
    if name not in PHASES:
        raise ConfigError(f"phase must be train, val (or dev) or test, not {phase!r}")
    return name


def _check_splits(info: DatasetInfo, splits: Mapping[str, Split]) -> None:
    problems = [
        f"class name {name!r} stands for more than one class"
        for name in sorted(set(info.class_names))
        if info.class_names.count(name) > 1
    ]
    for phase, split in splits.items():
        problems += [f"the {phase} split {reason}" for reason in _wrong_labels(info, split)]
    if "train" in splits and not problems:
        labels = splits["train"].labels
        seen = labels.any(axis=0).nonzero()[0] if labels.ndim == 2 else np.unique(labels)
        unseen = [name for i, name in enumerate(info.class_names) if i not in set(seen.tolist())]
        if unseen:
            logger.warning("%s: no training examples of: %s", info.name, ", ".join(unseen))
    if problems:
        raise DataError(f"data set {info.name} is wrong:\n  " + "\n  ".join(problems))


def _wrong_labels(info: DatasetInfo, split: Split) -> list[str]:
    """What is wrong with a split's labels; nothing where all is right."""
    if len(split) == 0:
        return ["has no examples"]
    if split.is_multi_label != info.is_multi_label:
        wanted, found = ("[N, C]", "[N]") if info.is_multi_label else ("[N]", "[N, C]")
        return [f"has labels {found}, but is_multi_label={info.is_multi_label} wants {wanted}"]
    count, lowest, highest = len(info.class_names), split.labels.min(), split.labels.max()
    if not info.is_multi_label and not 0 <= lowest <= highest < count:
        return [f"has labels {lowest} … {highest}, classes are 0 … {count - 1}"]
    if info.is_multi_label and split.labels.shape[1] != count:
        return [f"has labels for {split.labels.shape[1]} classes, not for {count}"]
    if info.is_multi_label and not 0 <= lowest <= highest <= 1:
        return [f"has labels {lowest} … {highest}; each must be 0 or 1"]
    return []


def _cut_validation(name: str, train: Split, fraction: float, seed: int) -> dict[str, Split]:
    parts = divided(train, val_fraction=fraction, test_fraction=0, seed=seed)
    if len(parts["val"]) == 0:
        raise DataError(
            f"data set {name} has no validation split, and its {len(train)} training examples "
            "are too few to cut one from: a class needs two.\n"
            "  Add images, or give a validation split."
        )
    logger.info(
        "%s has no validation split: %d of its %d training examples become one (seed %d)",
        name,
        len(parts["val"]),
        len(train),
        seed,
    )
    return parts
