import os
import sqlite3

import pytest

from hubcls.datasets import checking
from hubcls.datasets.checking import Listing, checked_splits
from hubcls.errors import ConfigError, UnreadableImagesError
from hubcls.images import decoding


@pytest.fixture
def inspected(monkeypatch):
    """The paths that were really read, in order."""
    paths = []
    inspect = decoding.inspect

    def counting(path):
        paths.append(path)
        return inspect(path)

    monkeypatch.setattr(decoding, "inspect", counting)
    return paths


@pytest.fixture
def listing(draw, tmp_path):
    return Listing(
        [draw(tmp_path / f"{number}.jpg", seed=number) for number in range(3)], [0, 1, 0]
    )


def check(listing, **arguments):
    return checked_splits({"train": listing}, "mine", **{"on_error": "raise", **arguments})


def test_a_second_check_reads_nothing(listing, inspected):
    first, _ = check(listing)
    second, _ = check(listing)

    assert sorted(inspected) == sorted(listing.paths)
    assert first["train"].fingerprint() == second["train"].fingerprint()


def test_a_changed_file_is_read_again(listing, inspected):
    check(listing)
    inspected.clear()
    os.utime(listing.paths[1], ns=(1, 1))

    check(listing)

    assert inspected == [listing.paths[1]]


def test_a_file_that_was_unreadable_is_read_again(listing, inspected, draw, tmp_path):
    broken = tmp_path / "broken.png"
    broken.touch()
    both = Listing([*listing.paths, str(broken)], [0, 1, 0, 1])
    with pytest.raises(UnreadableImagesError):
        check(both)
    draw(broken)

    splits, excluded = check(both)

    assert len(splits["train"]) == 4
    assert excluded == ()


def test_other_rules_of_reading_make_old_verdicts_void(listing, inspected, monkeypatch):
    check(listing)
    inspected.clear()
    monkeypatch.setattr(checking, "_rules", lambda: "newer")

    check(listing)

    assert len(inspected) == 3


def test_an_image_in_two_splits_is_read_once(listing, inspected):
    checked_splits({"train": listing, "val": listing}, "mine", on_error="raise")

    assert len(inspected) == 3


def test_a_missing_file_is_unreadable(listing, tmp_path):
    missing = str(tmp_path / "missing.jpg")

    splits, excluded = check(Listing([*listing.paths, missing], [0, 1, 0, 0]), on_error="exclude")

    assert [path for path, _ in excluded] == [missing]
    assert len(splits["train"]) == 3


def test_a_broken_cache_costs_a_warning_only(listing, home, caplog):
    check(listing)
    (cache,) = (home / "cache").glob("*.sqlite")
    cache.write_bytes(b"no database" * 1000)

    splits, _ = check(listing)

    assert len(splits["train"]) == 3
    assert "checked anew" in caplog.text


def test_a_home_that_cannot_be_written_costs_a_warning_only(listing, home, caplog):
    home.write_text("a file where the folder should be")

    splits, _ = check(listing)

    assert len(splits["train"]) == 3
    assert "checked anew" in caplog.text


def test_a_cache_that_is_locked_for_writing_costs_a_warning_only(
    listing, home, caplog, monkeypatch
):
    check(Listing([], []))
    (cache,) = (home / "cache").glob("*.sqlite")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, timeout=0: connect(path, timeout=0))
    with connect(cache) as other:
        other.execute("BEGIN EXCLUSIVE")

        splits, _ = check(listing)

    assert len(splits["train"]) == 3
    assert caplog.text


def test_another_word_for_on_error_is_an_error(listing):
    with pytest.raises(ConfigError, match="not 'ignore'"):
        check(listing, on_error="ignore")


def test_an_interrupted_check_goes_on_where_it_stopped(listing, inspected, monkeypatch):
    monkeypatch.setattr(checking, "_BLOCK", 1)
    counting = decoding.inspect

    def stopping(path):
        if path == listing.paths[2]:
            raise KeyboardInterrupt
        return counting(path)

    with monkeypatch.context() as patch:
        patch.setattr(decoding, "inspect", stopping)
        with pytest.raises(KeyboardInterrupt):
            check(listing)
    inspected.clear()

    check(listing)

    assert inspected == [listing.paths[2]]


def test_few_of_many_remembered_verdicts_are_found(listing, inspected, draw, tmp_path):
    many = [draw(tmp_path / f"many/{number}.png", seed=number) for number in range(30)]
    check(Listing([*listing.paths, *many], [0] * 33))
    inspected.clear()

    splits, _ = check(listing)

    assert len(splits["train"]) == 3
    assert inspected == []


def test_relative_paths_are_remembered_by_where_they_lie(
    listing, inspected, draw, tmp_path, monkeypatch
):
    for folder in ("one", "two"):
        draw(tmp_path / folder / "1.jpg")
        os.utime(tmp_path / folder / "1.jpg", ns=(1, 1))
        monkeypatch.chdir(tmp_path / folder)
        check(Listing(["1.jpg"], [0]))

    assert inspected == ["1.jpg", "1.jpg"]
