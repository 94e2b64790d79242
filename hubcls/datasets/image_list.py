"""List files as PaddlePaddle writes them: a path and a label on each line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hubcls.datasets.base import Dataset, DatasetInfo, LabelKeeping, Split, divided
from hubcls.datasets.checking import Listing, OnError, checked_splits
from hubcls.datasets.list_reading import ListReader
from hubcls.errors import ConfigError


class BaseCVDataset(Dataset):
    """Images in list files; PaddleHub's class to derive your own data sets from.

    Example:
        class Mine(BaseCVDataset):
            def __init__(self):
                super().__init__(
                    base_path="photos",
                    train_list_file="train_list.txt",
                    validate_list_file="validate_list.txt",
                    test_list_file="test_list.txt",
                    label_list_file="label_list.txt",
                )

    A line holds a path, relative to `base_path`, and a class number from 0, after the last
    space or tab; or, where images show several classes, a 0 or 1 for each class: "0,1,1,0",
    as PaddleClas writes NUS-WIDE. Set `keeps_label` in your class where a flip or a crop
    changes the label.
    """

    keeps_label = LabelKeeping()

    def __init__(
        self,
        base_path: str | Path,
        train_list_file: str | Path | None = None,
        *,
        validate_list_file: str | Path | None = None,
        test_list_file: str | Path | None = None,
        predict_list_file: str | Path | None = None,
        label_list_file: str | Path | None = None,
        label_list: Sequence[str] | None = None,
        on_error: OnError = "raise",
    ) -> None:
        """Read the lists and check every image.

        Args:
            base_path: the folder that list files and image paths are relative to.
            train_list_file: the training examples.
            validate_list_file: the validation examples; without it, 15 % of the training
                examples become them.
            test_list_file: the test examples.
            predict_list_file: paths alone.
            label_list_file: one class name a line; the line's number, from 0, is the class.
            label_list: the class names; wins over the file. Without both, the numbers
                themselves are the names.
            on_error: "raise" when an image is missing or unreadable, or "exclude" it.

        Raises:
            DataError: lines are wrong; lists all of them with file and line.
            UnreadableImagesError: images cannot be read; lists all of them.
            ConfigError: no list file is given.
        """
        files = {
            "train": train_list_file,
            "val": validate_list_file,
            "test": test_list_file,
            "predict": predict_list_file,
        }
        found = read_lists(
            Path(base_path),
            {phase: file for phase, file in files.items() if file is not None},
            labels=label_list_file if label_list is None else list(label_list),
            name=type(self).__name__,
            on_error=on_error,
        )
        info = dataclasses.replace(found.info, keeps_label=self.keeps_label)
        super().__init__(info, found.splits, predict_images=found.predict_images)


@dataclass(frozen=True)
class Listed:
    """What list files say, every image checked.

    Attributes:
        info: name, classes and what was left out.
        splits: phase → examples.
        predict_images: paths of images without labels.
    """

    info: DatasetInfo
    splits: Mapping[str, Split]
    predict_images: Sequence[str] = ()


def read_lists(
    base: Path,
    files: Mapping[str, str | Path],
    *,
    labels: str | Path | Sequence[str] | None,
    name: str,
    on_error: OnError,
) -> Listed:
    """Read a list file for each split and check every image.

    Args:
        base: the folder that list files and image paths are relative to.
        files: phase, or "predict" for paths alone → list file.
        labels: the class names or the file that holds them; without both, the numbers
            themselves are the names.
        name: the data set's.
        on_error: "raise" when an image is missing or unreadable, or "exclude" it.

    Raises:
        DataError: lines are wrong; lists all of them with file and line.
        UnreadableImagesError: images cannot be read; lists all of them.
        ConfigError: there is no list file.
    """
    if not files:
        raise ConfigError(f"{name} needs at least one list file")
    reader = ListReader(base, on_error=on_error)
    listings = {
        phase: reader.read(base / file, has_labels=phase != "predict")
        for phase, file in files.items()
    }
    names = reader.read_names(base / labels) if isinstance(labels, str | Path) else labels
    predict = listings.pop("predict", Listing((), ()))
    class_names = reader.class_names(listings, names)
    splits, excluded = checked_splits(listings, name, on_error=on_error)
    info = DatasetInfo(
        name=name,
        class_names=class_names,
        is_multi_label=reader.is_multi_label,
        excluded=tuple(reader.missing) + excluded,
        source=str(base),
    )
    return Listed(info, splits, predict.paths)


class ImageList(Dataset):
    """One list file, split by seed; for a file for each split see `BaseCVDataset`."""

    def __init__(
        self,
        list_file: str | Path,
        *,
        label_list: Sequence[str] | str | Path | None = None,
        base_path: str | Path | None = None,
        val_fraction: float = 0.15,
        test_fraction: float = 0.15,
        seed: int = 0,
        on_error: OnError = "raise",
        keeps_label: LabelKeeping | None = None,
    ) -> None:
        """Read the list, check every image, and split.

        Args:
            list_file: lines of a path and a class number, after the last space; or a 0 or
                1 for each class, "0,1,1,0", where images show several.
            label_list: the class names, or a file with one a line; without it, the numbers
                themselves are the names.
            base_path: the folder that paths are relative to; the list's own by default.
            val_fraction: share of the images for validation.
            test_fraction: share of the images for the test; 0 for no test split.
            seed: which images go where; the same seed and list give the same splits.
            on_error: "raise" when an image is missing or unreadable, or "exclude" it.
            keeps_label: which augmentations suit the images; flip and crop by default.

        Raises:
            DataError: lines are wrong; lists all of them with file and line.
            UnreadableImagesError: images cannot be read; lists all of them.
        """
        file = Path(list_file)
        if isinstance(label_list, str | Path):
            label_list = Path(label_list).absolute()
        found = read_lists(
            Path(base_path or file.parent),
            {"all": file.absolute()},
            labels=label_list,
            name=file.stem,
            on_error=on_error,
        )
        super().__init__(
            dataclasses.replace(
                found.info, keeps_label=keeps_label or LabelKeeping(), source=str(file)
            ),
            divided(
                found.splits["all"],
                val_fraction=val_fraction,
                test_fraction=test_fraction,
                seed=seed,
            ),
        )
