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
    text = (catalogue.folder("modules") / FILE).read_text(encoding="utf-8")
    return tuple(line.split(" ", 1)[1] for line in text.splitlines())
