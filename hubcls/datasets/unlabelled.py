"""Images that nobody has labelled, for distillation."""

from __future__ import annotations

from pathlib import Path

from hubcls.datasets.base import Split
from hubcls.datasets.checking import Listing, OnError, checked_splits
from hubcls.datasets.folder import images_under
from hubcls.datasets.list_reading import ListReader
from hubcls.errors import DataError


def unlabelled_images(place: str | Path, *, on_error: OnError = "raise") -> Split:
    """The images below a folder or in a list file, every one checked; without labels.

    Args:
        place: a folder, whose folders are searched too; or a list file with a path on each
            line, relative to the file's folder. Where every line ends with a label, as in
            PaddleClas' train_extra_list.txt, the labels are left aside.
        on_error: "raise" when an image is missing or unreadable, or "exclude" it.

    Returns:
        Paths, and labels int64 [N, 0].

    Raises:
        DataError: there are no images, or the list is wrong.
        UnreadableImagesError: images cannot be read; lists all of them.
    """
    path = Path(place).expanduser().absolute()
    found = Listing(list(images_under(path)), ()) if path.is_dir() else _listed(path, on_error)
    if not found.paths:
        raise DataError(f"{path} holds no images")
    listing = Listing(found.paths, [()] * len(found.paths), found.stamps)
    splits, _ = checked_splits({"unlabelled": listing}, path.name, on_error=on_error)
    if not len(splits["unlabelled"]):
        raise DataError(f"none of the images in {path} can be read")
    return splits["unlabelled"]


def _listed(file: Path, on_error: OnError) -> Listing:
    reader = ListReader(file.parent, on_error=on_error)
    listing = reader.read(file, has_labels=reader.has_labels(file))
    reader.refuse_wrong_lines()
    return listing
