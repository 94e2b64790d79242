"""PaddleHub's data sets, and any other of the catalogue that has list files."""

from __future__ import annotations

import dataclasses

from hubcls.datasets.checking import OnError
from hubcls.datasets.finding import spec
from hubcls.datasets.image_list import BaseCVDataset
from hubcls.datasets.preparing import prepare
from hubcls.datasets.spec import LABEL_FILE, LIST_FILES, DatasetSpec


class CataloguedDataset(BaseCVDataset):
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

        Args:
            source: "paddlehub" for PaddleHub's archive and splits, "original" for the
                authors' files with splits of ours where they publish none; by default
                the first that is on disk, or else the first that can be fetched.
            on_error: "exclude" leaves out images that cannot be read, and says so;
                "raise" refuses the data set.
            row: another row than the catalogue's, e.g. with mirrors of your own.

        Raises:
            DownloadError: the data set could not be fetched.
            UnreadableImagesError: `on_error` is "raise" and images cannot be read.
        """
        row = row or spec(self.catalogue_name)
        prepared = prepare(row, source)
        super().__init__(
            prepared.base,
            LIST_FILES["train"],
            validate_list_file=LIST_FILES["val"],
            test_list_file=LIST_FILES["test"],
            label_list_file=LABEL_FILE,
            on_error=on_error,
        )
        self.info = dataclasses.replace(
            self.info,
            name=row.name,
            keeps_label=row.keeps_label,
            licence=row.licence,
            source=prepared.source,
        )


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
