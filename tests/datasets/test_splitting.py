import numpy as np
import pytest

from hubcls.datasets.splitting import divide, stratified_cut, stratified_subset
from hubcls.errors import ConfigError

LABELS = np.repeat([0, 1, 2], [60, 30, 10])


def counts(indices, labels=LABELS):
    return np.bincount(labels[indices], minlength=labels.max() + 1).tolist()


def test_a_subset_keeps_the_shares_of_the_classes():
    assert counts(stratified_subset(LABELS, 20, seed=0)) == [12, 6, 2]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50, 99, 100])
def test_a_subset_has_exactly_the_size_asked_for(count):
    chosen = stratified_subset(LABELS, count, seed=0)

    assert len(set(chosen.tolist())) == count


def test_a_subset_holds_every_class_when_it_can():
    labels = np.repeat([0, 1, 2], [1000, 1, 1])

    assert counts(stratified_subset(labels, 3, seed=0), labels) == [1, 1, 1]


def test_a_subset_is_in_ascending_order():
    chosen = stratified_subset(LABELS, 50, seed=0)

    assert (np.diff(chosen) > 0).all()


def test_the_same_seed_chooses_the_same_and_another_seed_others():
    first, again, other = (stratified_subset(LABELS, 30, seed=seed) for seed in (1, 1, 2))

    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_cut_leaves_no_index_out_and_none_twice():
    rest, cut = stratified_cut(LABELS, 0.3, seed=0)

    assert sorted([*rest, *cut]) == list(range(100))
    assert counts(cut) == [18, 9, 3]


def test_a_cut_puts_every_class_of_two_on_both_sides():
    labels = np.repeat([0, 1], [200, 2])

    rest, cut = stratified_cut(labels, 0.01, seed=0)

    assert set(labels[rest]) == set(labels[cut]) == {0, 1}


def test_a_class_of_one_stays_with_the_rest():
    labels = np.array([0] * 10 + [1])

    rest, _ = stratified_cut(labels, 0.5, seed=0)

    assert 10 in rest


def test_division_gives_the_fractions_asked_for():
    labels = np.repeat([0, 1, 2, 3], 250)

    parts = divide(labels, val_fraction=0.15, test_fraction=0.25, seed=0)

    assert {phase: len(part) for phase, part in parts.items()} == {
        "train": 600, "val": 150, "test": 250
    }  # fmt: skip
    assert sorted(np.concatenate(list(parts.values()))) == list(range(1000))


def test_division_without_a_test_fraction_has_no_test():
    assert set(divide(LABELS, val_fraction=0.2, test_fraction=0, seed=0)) == {"train", "val"}


@pytest.mark.parametrize(("val", "test"), [(0, 0.1), (-0.1, 0), (0.6, 0.4), (1, 0), (0.1, 1)])
def test_fractions_out_of_range_are_refused(val, test):
    with pytest.raises(ConfigError, match="val_fraction"):
        divide(LABELS, val_fraction=val, test_fraction=test, seed=0)
