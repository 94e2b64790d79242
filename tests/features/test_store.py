import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hubcls.features.store import Shelf

FILLING_RUN = Path(__file__).with_name("filling_run.py")


def numbered(numbers):
    content = b"".join(int(number).to_bytes(16, "little") for number in numbers)
    return np.frombuffer(content, np.uint8).reshape(-1, 16)


@pytest.fixture
def aged():
    """A function: a shelf and its files were last used so many seconds after the epoch."""

    def age(folder, moment):
        for path in [*folder.iterdir(), folder]:
            os.utime(path, (moment, moment))

    return age


def filling(*arguments):
    return subprocess.Popen(
        [sys.executable, str(FILLING_RUN), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_rows_come_back_in_the_order_asked_for(keys):
    shelf, own = Shelf("a", (3,)), keys(6)
    rows = np.arange(18, dtype=np.float32).reshape(6, 3)
    shelf.add(own[:4], rows[:4])
    shelf.add(own[4:], rows[4:])

    found = shelf.rows(own[[5, 0, 3, 5]])

    np.testing.assert_array_equal(found.read(np.arange(4)), rows[[5, 0, 3, 5]])


def test_what_is_not_there_is_missing(keys):
    shelf = Shelf("a", (1,))
    shelf.add(keys(2), np.ones((2, 1), np.float32))

    found = shelf.rows(np.concatenate([keys(2), keys(3, seed=1)]))

    assert found.missing.tolist() == [2, 3, 4]


def test_a_run_killed_while_it_writes_leaves_whole_pairs_alone():
    run = filling("a", 0, 100_000)
    while int(run.stdout.readline()) < 20:
        pass
    run.kill()
    run.wait()

    found = Shelf("a", (256,)).rows(numbered(range(100_000)))
    there = np.setdiff1d(np.arange(100_000), found.missing)

    assert len(there) >= 2000
    np.testing.assert_array_equal(found.read(there), np.repeat(there[:, None], 256, axis=1))


@pytest.mark.slow
def test_two_runs_fill_one_shelf_at_once():
    runs = [filling("a", 0, 60), filling("a", 30, 60)]
    for run in runs:
        run.communicate()

    found = Shelf("a", (256,)).rows(numbered(range(9000)))

    assert [run.returncode for run in runs] == [0, 0]
    assert not len(found.missing)
    np.testing.assert_array_equal(found.read(np.arange(9000))[:, 7], np.arange(9000))


def test_the_pair_used_longest_ago_leaves_whichever_shelf_it_is_in(keys, aged, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "1e-5")  # 10,000 bytes
    rows = np.zeros((1, 1000), np.float32)
    for age, name in enumerate(["oldest", "older"]):
        Shelf(name, (1000,)).add(keys(1), rows)
        aged(Shelf(name, ()).folder, age)

    Shelf("new", (1000,)).add(keys(1), rows)

    assert [Shelf(name, ()).exists for name in ("oldest", "older", "new")] == [False, True, True]


def test_one_shelf_does_not_outgrow_the_limit(keys, kept, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "1e-5")
    shelf, own = Shelf("a", (1000,)), keys(4)

    for place in range(4):
        shelf.add(own[place : place + 1], np.zeros((1, 1000), np.float32))

    assert len(kept()) == 2
    assert shelf.rows(own).missing.tolist() == [0, 1]


def test_a_pair_that_was_read_outlives_an_older_one_of_its_shelf(keys, aged, monkeypatch):
    shelf, own = Shelf("a", (1000,)), keys(3)
    for place in range(2):
        shelf.add(own[place : place + 1], np.zeros((1, 1000), np.float32))
    aged(shelf.folder, 0)
    shelf.rows(own[:1])
    monkeypatch.setenv("HUBCLS_CACHE_GB", "1e-5")

    shelf.add(own[2:], np.zeros((1, 1000), np.float32))

    assert shelf.rows(own).missing.tolist() == [1]


def test_open_rows_outlive_their_files(keys, aged, monkeypatch):
    shelf = Shelf("a", (100_000,))
    shelf.add(keys(1), np.ones((1, 100_000), np.float32))
    found = shelf.rows(keys(1))
    aged(shelf.folder, 0)
    monkeypatch.setenv("HUBCLS_CACHE_GB", "5e-4")

    Shelf("b", (100_000,)).add(keys(1), np.zeros((1, 100_000), np.float32))

    assert not shelf.exists
    assert found.read(np.array([0])).sum() == 100_000


def test_a_pair_that_another_run_is_writing_stays(keys, monkeypatch):
    monkeypatch.setenv("HUBCLS_CACHE_GB", "5e-6")
    shelf = Shelf("a", (1000,))
    shelf.begin()
    half = shelf.folder / "half.rows"
    half.write_bytes(bytes(4000))

    shelf.add(keys(1), np.zeros((1, 1000), np.float32))

    assert half.exists()
    assert shelf.exists


def test_an_empty_shelf_is_removed_after_a_day(keys, aged):
    for name in ("old", "begun"):
        Shelf(name, (1,)).begin()
    aged(Shelf("old", ()).folder, 0)

    Shelf("a", (1,)).add(keys(1), np.ones((1, 1), np.float32))

    assert [Shelf(name, ()).folder.exists() for name in ("old", "begun")] == [False, True]


def test_more_small_pairs_than_files_may_be_open_are_read(monkeypatch):
    resource = pytest.importorskip("resource")
    shelf = Shelf("a", (1,))
    shelf.begin()
    for number in range(200):
        (shelf.folder / f"{number}.rows").write_bytes(np.float32(number).tobytes())
        (shelf.folder / f"{number}.keys").write_bytes(numbered([number]).tobytes())
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))

    try:
        rows = shelf.rows(numbered(range(200)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    np.testing.assert_array_equal(rows.read(np.arange(200))[:, 0], np.arange(200))


def test_rows_without_keys_are_removed_after_a_day(keys):
    shelf = Shelf("a", (1,))
    shelf.add(keys(1), np.ones((1, 1), np.float32))
    left = shelf.folder / "left.rows"
    left.write_bytes(b"1234")
    os.utime(left, (0, 0))

    shelf.add(keys(1, seed=1), np.ones((1, 1), np.float32))

    assert not left.exists()
