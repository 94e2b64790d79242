"""PaddleHub's face on the pipeline: `hubcls.reader.ImageClassificationReader`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hubcls.datasets.base import Dataset, DatasetInfo
from hubcls.errors import ConfigError
from hubcls.images.augmenting import Augmentation
from hubcls.logs import logger
from hubcls.pipeline.building import OneImage, TrainingStream, evaluation_batches, image_batches
from hubcls.preprocessing import Interpolation, Preprocessing, ResizeRule

_Named = dict[str, npt.NDArray[Any]]
Batch = list[npt.NDArray[Any]] | _Named

_PREDICT_PHASES = ("predict", "inference")
_TOLERANCE = 1e-3  # of a mean or std that somebody typed with three digits
_NORMALISATION = {  # Preprocessing's names → PaddleHub's
    "channel_order": "channel_order",
    "mean": "images_mean",
    "std": "images_std",
}


class ImageClassificationReader:
    """How the images of a data set are read: size, resize rule, augmentation.

    Whatever is left out is as the module and the data set want it. PaddleHub's reader
    stretched every image and normalised it itself; ours follows the module's resize rule,
    except that images whose label a crop would change are shown whole, and the module's
    first layer normalises. A stated `channel_order`, `images_mean` or
    `images_std` is only compared with the module's.
    """

    def __init__(
        self,
        image_width: int | None = None,
        image_height: int | None = None,
        dataset: Dataset | None = None,
        channel_order: str | None = None,
        images_mean: npt.ArrayLike | None = None,
        images_std: npt.ArrayLike | None = None,
        data_augmentation: bool | None = None,
        random_seed: int | None = None,
        *,
        resize: ResizeRule | None = None,
        interpolation: Interpolation | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        """Note the wishes and check them.

        Args:
            image_width: columns of the network's input; None means the module's.
            image_height: rows of the network's input; None means the module's.
            dataset: where `data_generator` finds its examples.
            channel_order: "RGB" or "BGR", as the module reads channels.
            images_mean: three numbers on the 0–1 scale.
            images_std: three numbers on the 0–1 scale.
            data_augmentation: None augments training images as far as the data set keeps
                its labels; True augments them in full; False never does.
            random_seed: of order and augmentation; None means the run's seed.
            resize: "center_crop", "stretch" or "letterbox"; None means the module's, but
                "letterbox" in the place of a crop that would change the data set's labels.
            interpolation: "bilinear" or "bicubic"; None means the module's in evaluation and
                bilinear in random crops.
            augmentation: exactly what to change in training images.

        Raises:
            ConfigError: a value is wrong, or two contradict each other.
        """
        self.image_width = image_width
        self.image_height = image_height
        self.dataset = dataset
        self.channel_order = channel_order
        self.images_mean = _numbers(images_mean)
        self.images_std = _numbers(images_std)
        self.data_augmentation = data_augmentation
        self.random_seed = random_seed
        self.resize = resize
        self.interpolation = interpolation
        self._augmentation = augmentation
        self._num_train_passes = 0
        _refuse_wrong(self)
        # Wrong sizes, rules and channel orders are refused here.
        Preprocessing(**{"height": 1, "width": 1, **self._stated()})

    def arguments(self) -> dict[str, Any]:
        """What the constructor was given, by name, defaults included; the data set apart."""
        names = [*inspect.signature(type(self)).parameters]
        kept = {name: getattr(self, name) for name in names if name != "dataset"}
        return {**kept, "augmentation": self._augmentation}

    def preprocessing(self, of_module: Preprocessing, info: DatasetInfo) -> Preprocessing:
        """The module's preprocessing with the size, rule and interpolation stated here.

        Raises:
            ConfigError: a stated mean, std or channel order is not the module's.
        """
        stated = self._stated()
        normalisation = {name: stated.pop(name) for name in _NORMALISATION if name in stated}
        wrong = [
            f"{_NORMALISATION[name]} is {value}, the module's is {getattr(of_module, name)}"
            for name, value in normalisation.items()
            if not _agree(value, getattr(of_module, name))
        ]
        if wrong:
            raise ConfigError(
                "the reader is at odds with the module:\n  "
                + "\n  ".join(wrong)
                + "\n  Leave these out: the module's own first layer normalises."
            )
        return shown_whole(of_module, info).replaced(**stated)

    def augmentation(self, info: DatasetInfo) -> Augmentation | None:
        """What training changes at random in the images of a data set; None is nothing."""
        if self.data_augmentation is False:
            return None
        if self._augmentation is not None:
            return self._augmentation
        usual = Augmentation(interpolation=self.interpolation or "bilinear")
        keeps = info.keeps_label
        if self.data_augmentation:
            if not (keeps.horizontal_flip and keeps.random_crop):
                logger.warning(
                    "%s: data_augmentation=True also changes what the data set's facts say "
                    "does not keep its labels (%s)",
                    info.name,
                    keeps,
                )
            return usual
        if not (keeps.horizontal_flip or keeps.random_crop):
            return None
        min_area = usual.min_area if keeps.random_crop else 1.0
        return replace(usual, horizontal_flip=keeps.horizontal_flip, min_area=min_area)

    def data_generator(
        self,
        batch_size: int = 1,
        phase: str = "train",
        shuffle: bool = False,
        data: Sequence[OneImage] | None = None,
        return_list: bool = True,
    ) -> Iterator[Batch]:
        """Batches of one pass over a split, as NumPy arrays.

        PaddleHub gave normalised float32 [B, 3, H, W]; we give what our networks take,
        uint8 [B, H, W, 3], RGB. The last batch may be smaller. Training images are always
        shuffled and augmented, each further pass in an order of its own; the label of one
        that is mixed with another is the class with the greater share.

        Args:
            batch_size: images in a batch.
            phase: "train", "val" (or "dev"), "test", or "predict".
            shuffle: other splits, too.
            data: the images to predict: paths, arrays or Pillow images.
            return_list: True gives [images, labels], for "predict" [images]; False gives
                a dictionary with the keys "image" and "label".

        Raises:
            ConfigError: there is no data set, no such split, no size, or no data.
        """
        if phase in _PREDICT_PHASES:
            batches = self._to_predict(data, batch_size)
        elif data is not None:
            raise ConfigError(f'data is for phase="predict", not for {phase!r}')
        elif phase == "train":
            batches = self._training(batch_size)
        else:
            batches = self._evaluation(phase, batch_size, shuffle)
        return (list(batch.values()) if return_list else batch for batch in batches)

    def _training(self, batch_size: int) -> Iterator[_Named]:
        dataset = self._dataset()
        stream = TrainingStream(
            split=dataset.split("train"),
            num_classes=len(dataset.info.class_names),
            preprocessing=self._own_preprocessing(),
            batch_size=batch_size,
            augmentation=self.augmentation(dataset.info),
            seed=self._seed(),
        )
        start = self._num_train_passes * stream.steps_per_epoch
        self._num_train_passes += 1
        batches = stream.batches(start, stream.steps_per_epoch).as_numpy_iterator()
        is_multi_label = stream.split.is_multi_label
        named = (
            {"image": images, "label": targets if is_multi_label else targets.argmax(axis=1)}
            for images, targets in batches
        )
        return _cut(named, len(stream.split), batch_size)

    def _evaluation(self, phase: str, batch_size: int, shuffle: bool) -> Iterator[_Named]:
        split, preprocessing = self._dataset().split(phase), self._own_preprocessing()
        if shuffle:
            split = split.subset(np.random.default_rng(self._seed()).permutation(len(split)))
        batches = evaluation_batches(split, preprocessing, batch_size=batch_size)
        named = (
            {"image": images, "label": split.labels[start : start + batch_size]}
            for start, images in zip(
                range(0, len(split), batch_size), batches.as_numpy_iterator(), strict=True
            )
        )
        return _cut(named, len(split), batch_size)

    def _to_predict(self, data: Sequence[OneImage] | None, batch_size: int) -> Iterator[_Named]:
        if data is None:
            raise ConfigError('phase="predict" needs data=[...]: paths, arrays or Pillow images')
        batches, count = image_batches(data, self._own_preprocessing(), batch_size)
        named = ({"image": images} for images in batches.as_numpy_iterator())
        return _cut(named, count, batch_size)

    def _dataset(self) -> Dataset:
        if self.dataset is None:
            raise ConfigError("this reader has no data set; pass dataset=...")
        return self.dataset

    def _seed(self) -> int:
        return 0 if self.random_seed is None else self.random_seed

    def _own_preprocessing(self) -> Preprocessing:
        if self.image_width is None:
            raise ConfigError("data_generator needs a size; pass image_width and image_height")
        stated = self._stated()
        usual = Preprocessing(stated["height"], stated["width"])
        if self.dataset is not None:
            usual = shown_whole(usual, self.dataset.info)
        return usual.replaced(**stated)

    def _stated(self) -> dict[str, Any]:
        """What was given, under Preprocessing's names."""
        stated = {
            "height": self.image_height,
            "width": self.image_width,
            "channel_order": self.channel_order,
            "mean": self.images_mean,
            "std": self.images_std,
            "resize": self.resize,
            "interpolation": self.interpolation,
        }
        return {name: value for name, value in stated.items() if value is not None}


def shown_whole(preprocessing: Preprocessing, info: DatasetInfo) -> Preprocessing:
    """Without the centre crop where it would cut off what tells the classes apart."""
    if preprocessing.resize == "center_crop" and not info.keeps_label.random_crop:
        return preprocessing.replaced(resize="letterbox")
    return preprocessing


def _refuse_wrong(reader: ImageClassificationReader) -> None:
    wrong = []
    if (reader.image_width is None) != (reader.image_height is None):
        wrong.append("image_width and image_height go together: give both or neither")
    if reader.data_augmentation is False and reader._augmentation is not None:
        wrong.append("data_augmentation=False contradicts augmentation=...: give one of them")
    for name in ("images_mean", "images_std"):
        numbers = getattr(reader, name)
        if numbers is not None and (
            len(numbers) != 3 or not 0 <= min(numbers) <= max(numbers) <= 1
        ):
            wrong.append(f"{name} must be three numbers on the 0–1 scale, not {numbers}")
    if wrong:
        raise ConfigError("the reader is wrong:\n  " + "\n  ".join(wrong))


def _numbers(given: npt.ArrayLike | None) -> tuple[float, ...] | None:
    """PaddleHub's getters give arrays [1, 3]."""
    return None if given is None else tuple(np.asarray(given, np.float64).ravel().tolist())


def _agree(stated: Any, of_module: Any) -> bool:
    if isinstance(stated, str):
        return bool(stated == of_module)
    return bool(np.allclose(stated, of_module, rtol=0, atol=_TOLERANCE))


def _cut(batches: Iterable[_Named], count: int, batch_size: int) -> Iterator[_Named]:
    """The batches without what fills up the last of them."""
    for start, batch in zip(range(0, count, batch_size), batches, strict=True):
        yield {name: values[: count - start] for name, values in batch.items()}
