"""Seeded stratified choices: which examples go where, class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hubcls.errors import ConfigError
from hubcls.seeding import derived_seed

Labels = NDArray[np.int64]
Indices = NDArray[np.int64]


def strata(labels: Labels) -> Labels:
    """Which examples count as one class when they are shared out.

    Args:
        labels: int64 [N], classes; or of 0 and 1 [N, C], where an image shows several.

    Returns:
        int64 [N]: the classes; or of those that an image shows the rarest, and C for none.
    """
    if labels.ndim == 1:
        return labels
    count = labels.shape[1]
    by_rarity = np.argsort(labels.sum(axis=0), kind="stable")
    rarest = by_rarity[labels[:, by_rarity].argmax(axis=1)]
    chosen: Labels = np.where(labels.any(axis=1), rarest, count)
    return chosen


def stratified_subset(labels: Labels, count: int, *, seed: int) -> Indices:
    """`count` indices whose classes keep their shares; every class is there when it can be.

    Args:
        labels: int64 [N].
        count: how many, at most N.
        seed: the same seed and labels choose the same indices.

    Returns:
        int64 [count], ascending.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    return _choose(labels, classes, _allocate(sizes, count, limits=sizes), seed=seed)


def stratified_cut(labels: Labels, fraction: float, *, seed: int) -> tuple[Indices, Indices]:
    """The indices that stay and those cut off, class by class.

    Every class of two or more examples is in both parts; a class of one example stays
    whole. The cut therefore holds more than `fraction` when classes are tiny.

    Args:
        labels: int64 [N].
        fraction: share of the N examples that is cut off, in [0, 1).
        seed: the same seed and labels cut the same indices.

    Returns:
        Two int64 vectors, ascending, together 0 … N - 1.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    limits = sizes - 1
    if fraction <= 0:
        return np.arange(len(labels)), np.empty(0, np.int64)
    wanted = max(round(len(labels) * fraction), int((limits > 0).sum()))
    shares = _allocate(sizes, min(wanted, int(limits.sum())), limits=limits)
    cut = _choose(labels, classes, shares, seed=seed)
    return np.setdiff1d(np.arange(len(labels)), cut), cut


def divide(
    labels: Labels, *, val_fraction: float, test_fraction: float, seed: int
) -> dict[str, Indices]:
    """The indices of train, val and (unless its fraction is 0) test, class by class.

    Raises:
        ConfigError: a fraction is out of range.
    """
    if not (0 < val_fraction < 1 and 0 <= test_fraction < 1 and val_fraction + test_fraction < 1):
        raise ConfigError(
            "val_fraction must be above 0, test_fraction at least 0, and both together below 1, "
            f"not {val_fraction!r} and {test_fraction!r}"
        )
    rest, test = stratified_cut(labels, test_fraction, seed=derived_seed(seed, "test"))
    share = max(1, round(len(labels) * val_fraction)) / max(1, len(rest))
    train, val = stratified_cut(labels[rest], share, seed=derived_seed(seed, "val"))
    parts = {"train": rest[train], "val": rest[val], "test": test}
    return {phase: part for phase, part in parts.items() if phase != "test" or test_fraction > 0}


def _allocate(sizes: Indices, total: int, *, limits: Indices) -> Indices:
    """How many of each class make `total`: proportional, then one for classes with none."""
    exact = sizes * (total / max(sizes.sum(), 1))
    shares: Indices = np.minimum(np.floor(exact).astype(np.int64), limits)
    if total >= (limits > 0).sum():
        shares = np.maximum(shares, np.minimum(limits, 1))
    while shares.sum() < total:
        shares[np.argmax(np.where(shares < limits, exact - shares, -np.inf))] += 1
    while shares.sum() > total:
        shares[np.argmax(np.where(shares > 1, shares - exact, -np.inf))] -= 1
    return shares


def _choose(labels: Labels, classes: Labels, shares: Indices, *, seed: int) -> Indices:
    by_class = np.argsort(labels, kind="stable")
    groups = np.split(by_class, np.searchsorted(labels[by_class], classes))[1:]
    chosen = [
        np.random.default_rng(derived_seed(seed, "stratified", int(label))).permutation(group)[
            :share
        ]
        for label, group, share in zip(classes, groups, shares, strict=True)
    ]
    indices: Indices = np.concatenate([np.empty(0, np.int64), *chosen])
    indices.sort()
    return indices
