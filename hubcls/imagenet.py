"""The names of ImageNet-1k's classes, in the order of every ImageNet classifier's logits."""

from __future__ import annotations

import functools

from hubcls import catalogue

FILE = "imagenet_classes.txt"


@functools.cache
def class_names() -> tuple[str, ...]:
    """The thousand names, e.g. "tabby"; all different.

    From WordNet's first lemma of each class's synset. Needs no TensorFlow.
    """
    return tuple(line.partition(" ")[2] for line in _lines())


@functools.cache
def synsets() -> tuple[str, ...]:
    """The WordNet ids of the classes, e.g. "n02123045", sorted: ImageNet's class folders."""
    return tuple(line.partition(" ")[0] for line in _lines())


def _lines() -> list[str]:
    return (catalogue.folder("modules") / FILE).read_text(encoding="utf-8").splitlines()
