"""What a row of the catalogue says: the schema of datasets/*.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from hubcls.datasets.base import LabelKeeping

# PaddleHub's names.
LIST_FILES = {"train": "train_list.txt", "val": "validate_list.txt", "test": "test_list.txt"}
LABEL_FILE = "label_list.txt"

Layout = Literal[
    "lists", "class_folders", "food101", "indoor67", "stanford_dogs", "flowers102", "idx", "cifar"
]
_LAYOUTS_WITHOUT_WRITTEN_LISTS = ("lists", "idx", "cifar")


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch.

    Attributes:
        name: what it is called on disk; one of a kind within its data set.
        urls: its mirrors, best first: the same bytes under each.
        unpack_to: for an archive, the folder within the data set that it is unpacked to;
            a file without it is kept as it is.
        sha256: the published hash. Without it, the first download's is remembered.
        size_bytes: the published size.
        content_sha256: hash of the uncompressed bytes of a .gz file.
    """

    name: str
    urls: tuple[str, ...]
    unpack_to: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    content_sha256: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be fetched or checked.

        Raises:
            ValueError: an address or a hash is not one.
        """
        if not re.fullmatch(r"[\w-]+", self.unpack_to or "files"):
            raise ValueError(f"unpack_to must be the name of a folder, not {self.unpack_to!r}")
        wrong = [url for url in self.urls if not re.match(r"https?://\S+$", url)]
        if wrong or not self.urls:
            raise ValueError(f"urls must be http(s) addresses, at least one, not {wrong}")
        for digest in filter(None, (self.sha256, self.content_sha256)):
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise ValueError(f"a sha256 has 64 digits of 0-9a-f, {digest!r} does not")


@dataclass(frozen=True)
class Source:
    """One place that the images can come from, and how they lie there.

    Attributes:
        layout: "lists" holds list files, "idx" and "cifar" arrays. For every other layout
            PaddleHub's four list files are written once, into `base`.
        files: what to fetch.
        base: the folder, within the data set's, that list files and image paths start from.
        lists: phase → list file; PaddleHub's names by default.
        label_file: one class name a line; without it, the names are the row's.
        folders: class name → folder of the class, where the two differ.
        installed_at: folders where the files lie already on some machines.
    """

    layout: Layout
    files: tuple[RemoteFile, ...]
    base: str = "."
    lists: dict[str, str] = field(default_factory=lambda: dict(LIST_FILES))
    label_file: str | None = LABEL_FILE
    folders: dict[str, str] = field(default_factory=dict)
    installed_at: tuple[str, ...] = ()

    @property
    def needs_lists(self) -> bool:
        """Whether list files are to be written."""
        return self.layout not in _LAYOUTS_WITHOUT_WRITTEN_LISTS


@dataclass(frozen=True)
class DatasetSpec:
    """One data set of the catalogue.

    Attributes:
        name: as users write it.
        title: as its authors write it.
        summary: one sentence.
        licence: what the images may be used for; "not stated: …" where nobody says.
        homepage: where its authors describe it.
        num_classes: number of classes.
        num_examples: split → number of examples, as far as published.
        class_names: in the order of the labels, where it is known without the archive.
        aliases: other names that find it.
        keeps_label: which augmentations suit its images.
        sources: by name, the preferred one first; none for data that is not fetched.
        brought_by: where data comes from that is not fetched: a package, or the user.
    """

    name: str
    title: str
    summary: str
    licence: str
    homepage: str
    num_classes: int
    num_examples: dict[str, int] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    keeps_label: LabelKeeping = field(default_factory=LabelKeeping)
    sources: dict[str, Source] = field(default_factory=dict)
    brought_by: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that lacks or contradicts something.

        Raises:
            ValueError: names the first thing that is wrong.
        """
        if not self.licence.strip():
            raise ValueError("licence is empty; write 'not stated: …' where nobody states one")
        if self.class_names and len(set(self.class_names)) != self.num_classes:
            raise ValueError(
                f"num_classes is {self.num_classes}, but class_names holds "
                f"{len(set(self.class_names))} different names"
            )
        files = [file.name for source in self.sources.values() for file in source.files]
        if len(set(files)) != len(files):
            raise ValueError(f"file names must differ within a data set: {', '.join(files)}")
        if bool(self.sources) == bool(self.brought_by):
            raise ValueError("a row has either sources or brought_by")
