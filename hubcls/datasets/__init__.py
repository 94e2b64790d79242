"""Labelled images: PaddleHub's and PaddleClas' data sets, two small ones, and your own.

Names are fetched on first use (PEP 562), so that listing data sets loads no TensorFlow.
"""

from __future__ import annotations

from typing import Any

from hubcls.registry import Table

_PUBLIC = Table(
    "public name of hubcls.datasets",
    {
        "BaseCVDataset": "hubcls.datasets.image_list:BaseCVDataset",
        "CIFAR10": "hubcls.datasets.catalogued:CIFAR10",
        "CIFAR100": "hubcls.datasets.catalogued:CIFAR100",
        "Dataset": "hubcls.datasets.base:Dataset",
        "DatasetInfo": "hubcls.datasets.base:DatasetInfo",
        "Digits": "hubcls.datasets.digits:Digits",
        "DogCat": "hubcls.datasets.catalogued:DogCat",
        "Example": "hubcls.datasets.base:Example",
        "FashionMNIST": "hubcls.datasets.fashion_mnist:FashionMNIST",
        "Flowers": "hubcls.datasets.catalogued:Flowers",
        "Flowers102": "hubcls.datasets.catalogued:Flowers102",
        "Food101": "hubcls.datasets.catalogued:Food101",
        "ImageFolder": "hubcls.datasets.folder:ImageFolder",
        "ImageList": "hubcls.datasets.image_list:ImageList",
        "ImageNet1k": "hubcls.datasets.imagenet:ImageNet1k",
        "ImageTable": "hubcls.datasets.table:ImageTable",
        "Indoor67": "hubcls.datasets.catalogued:Indoor67",
        "LabelKeeping": "hubcls.datasets.base:LabelKeeping",
        "NUSWideScene": "hubcls.datasets.catalogued:NUSWideScene",
        "Split": "hubcls.datasets.base:Split",
        "StanfordDogs": "hubcls.datasets.catalogued:StanfordDogs",
        "from_tfds": "hubcls.datasets.tfds_export:TfdsDataset",
        "names": "hubcls.datasets.finding:names",
        "open_dataset": "hubcls.datasets.opening:open_dataset",
        "unlabelled_images": "hubcls.datasets.unlabelled:unlabelled_images",
    },
)

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "BaseCVDataset",
    "Dataset",
    "DatasetInfo",
    "Digits",
    "DogCat",
    "Example",
    "FashionMNIST",
    "Flowers",
    "Flowers102",
    "Food101",
    "ImageFolder",
    "ImageList",
    "ImageNet1k",
    "ImageTable",
    "Indoor67",
    "LabelKeeping",
    "NUSWideScene",
    "Split",
    "StanfordDogs",
    "from_tfds",
    "names",
    "open_dataset",
    "unlabelled_images",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return _PUBLIC[name]
    raise AttributeError(f"module 'hubcls.datasets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
