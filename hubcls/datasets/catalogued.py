"""PaddleHub's and PaddleClas' data sets: all of the catalogue that are fetched by a row."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hubcls.datasets.base import Dataset, DatasetInfo
from hubcls.datasets.checking import OnError
from hubcls.datasets.finding import spec
from hubcls.datasets.image_list import Listed, read_lists
from hubcls.datasets.originals import VAL_FRACTION
from hubcls.datasets.preparing import prepare
from hubcls.datasets.spec import DatasetSpec, Source
from hubcls.registry import Table

# Read into memory; all other layouts have list files.
_ARRAYS = Table("layout of arrays", {"cifar": "hubcls.datasets.cifar:read_batches"})


class CataloguedDataset(Dataset):
    """A data set by its row of the catalogue; downloaded once to ~/.hubcls/datasets.

    Attributes:
        catalogue_name: the row that a subclass stands for.
    """

    catalogue_name = ""

    def __init__(
        self,
        *,
        source: str | None = None,
        on_error: OnError = "exclude",
        row: DatasetSpec | None = None,
    ) -> None:
        """Fetch the data set where it is not there, read its lists and check its images.

        Where no validation split is published, it is a tenth of the training images.

        Args:
            source: "paddlehub" or "paddleclas" for the archive and splits of those,
                "original" for the authors' files with splits of ours where they publish
                none; by default the first that is on disk, or else the first that can be
                fetched.
            on_error: "exclude" leaves out images that cannot be read, and says so;
                "raise" refuses the data set.
            row: another row than the catalogue's, e.g. with mirrors of your own.

        Raises:
            DownloadError: the data set could not be fetched.
            UnreadableImagesError: `on_error` is "raise" and images cannot be read.
        """
        row = row or spec(self.catalogue_name)
        prepared = prepare(row, source)
        found = _contents(row, row.sources[prepared.source], prepared.base, on_error)
        info = dataclasses.replace(
            found.info, keeps_label=row.keeps_label, licence=row.licence, source=prepared.source
        )
        super().__init__(info, found.splits, val_fraction=VAL_FRACTION)


def _contents(row: DatasetSpec, source: Source, base: Path, on_error: OnError) -> Listed:
    if source.layout in _ARRAYS:
        class_names, splits = _ARRAYS[source.layout](base)
        return Listed(DatasetInfo(row.name, class_names), splits)
    names = source.label_file or row.class_names
    return read_lists(base, source.lists, labels=names, name=row.name, on_error=on_error)


class Flowers(CataloguedDataset):
    """Five kinds of flowers; PaddleHub's first example."""

    catalogue_name = "flowers"


class DogCat(CataloguedDataset):
    """Cats and dogs."""

    catalogue_name = "dogcat"


class StanfordDogs(CataloguedDataset):
    """120 breeds of dogs."""

    catalogue_name = "stanforddogs"


class Indoor67(CataloguedDataset):
    """67 kinds of rooms and indoor places."""

    catalogue_name = "indoor67"


class Food101(CataloguedDataset):
    """101 dishes."""

    catalogue_name = "food101"


class CIFAR10(CataloguedDataset):
    """60,000 pictures of ten kinds, 32 x 32 pixels, in memory."""

    catalogue_name = "cifar10"


class CIFAR100(CataloguedDataset):
    """60,000 pictures of a hundred kinds, 32 x 32 pixels; the fine labels.

    In memory, or from PaddleClas' archive as files.
    """

    catalogue_name = "cifar100"


class Flowers102(CataloguedDataset):
    """102 kinds of flowers; PaddleClas' first example."""

    catalogue_name = "flowers102"


class NUSWideScene(CataloguedDataset):
    """Scenes that show several of 33 classes; PaddleClas' multi-label example."""

    catalogue_name = "nus_wide_scene"
