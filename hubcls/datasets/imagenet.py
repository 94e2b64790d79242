"""ImageNet-1k from a folder that the user has filled: its images are not distributed."""

from __future__ import annotations

from pathlib import Path

from hubcls.datasets.base import Dataset, DatasetInfo
from hubcls.datasets.checking import Listing, OnError, checked_splits
from hubcls.datasets.finding import spec
from hubcls.datasets.folder import class_folder_listing
from hubcls.datasets.list_reading import ListReader
from hubcls.errors import DataError
from hubcls.home import datasets_home
from hubcls.imagenet import class_names, synsets
from hubcls.writing import replacing_folder, write_file

_PHASES = ("train", "val")
_LAYOUT = (
    "The folder must hold train/n01440764/*.JPEG and so on, and val/ with the same class\n"
    "  folders or with all images beside a val_list.txt, as PaddlePaddle has it:\n"
    "  val/ILSVRC2012_val_00000001.JPEG 65"
)


class ImageNet1k(Dataset):
    """ILSVRC2012's training and validation images; the classes in the order of every head."""

    def __init__(self, folder: str | Path | None = None, *, on_error: OnError = "exclude") -> None:
        """List and check the images.

        Args:
            folder: holds train_list.txt and val_list.txt as PaddlePaddle writes them, or
                in their place train/ and val/ with a folder for each class, called by its
                WordNet id. By default what `hubcls datasets prepare imagenet` has listed.
            on_error: "exclude" leaves out images that cannot be read, and says so;
                "raise" refuses the data set.

        Raises:
            DataError: images or lists are missing, or a list is wrong.
            UnreadableImagesError: `on_error` is "raise" and images cannot be read.
        """
        row = spec("imagenet")
        base = Path(folder or datasets_home() / row.name).expanduser().absolute()
        if folder is None and not base.is_dir():
            raise DataError(
                "ImageNet's images are not distributed: get ILSVRC2012 from image-net.org, then "
                "run\n  hubcls datasets prepare imagenet --from FOLDER\n  " + _LAYOUT
            )
        reader = ListReader(base, on_error=on_error)
        listings = {phase: _listing(reader, phase) for phase in _PHASES}
        names = reader.class_names(listings, class_names())
        splits, excluded = checked_splits(listings, row.name, on_error=on_error)
        super().__init__(
            DatasetInfo(
                name=row.name,
                class_names=names,
                keeps_label=row.keeps_label,
                excluded=tuple(reader.missing) + excluded,
                licence=row.licence,
                source=str(base),
            ),
            splits,
        )


def prepare_imagenet(folder: str | Path) -> ImageNet1k:
    """Check the images in a folder, and list them where `ImageNet1k()` looks.

    Args:
        folder: as `ImageNet1k` takes it; nothing is written there. The lists name its
            readable images by absolute paths.

    Raises:
        DataError: images or lists are missing, or a list is wrong.
    """
    dataset = ImageNet1k(folder)
    with replacing_folder(datasets_home() / dataset.info.name) as place:
        for phase in _PHASES:
            split = dataset.split(phase)
            examples = zip(split.images, split.labels.tolist(), strict=True)
            lines = "".join(f"{path} {label}\n" for path, label in examples)
            write_file(place / f"{phase}_list.txt", lines)
    return dataset


def _listing(reader: ListReader, phase: str) -> Listing:
    """The images of a split by its list file or, without one, by its class folders."""
    file, folder = reader.base / f"{phase}_list.txt", reader.base / phase
    if file.is_file():
        return reader.read(file, has_labels=True)
    found = {item.name for item in folder.iterdir() if item.is_dir()} if folder.is_dir() else set()
    strange = sorted(found - set(synsets()))
    if strange or not found:
        reason = f"{', '.join(strange[:5])} are no classes" if strange else "there are none"
        raise DataError(
            f"{folder} has no {file.name} beside it, so it must hold ImageNet's class folders, "
            f"but {reason}.\n  {_LAYOUT}"
        )
    return class_folder_listing(folder, synsets())
