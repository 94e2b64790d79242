import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hubcls.writing import complete_folder, replacing_folder, write_file

REPOSITORY = Path(__file__).resolve().parents[1]


def test_a_written_file_holds_its_content_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "report.json"

    write_file(path, "für 花")

    assert path.read_bytes() == "für 花".encode()
    assert names(path.parent) == ["report.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = write_file(tmp_path / "report.json", b"old")
    monkeypatch.setattr(os, "fsync", full_disk)

    with pytest.raises(OSError, match="full"):
        write_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["report.json"]


def test_a_replaced_folder_holds_only_the_new_files(tmp_path):
    folder = filled(tmp_path / "best", old="1")

    with replacing_folder(folder) as new:
        (new / "new").write_text("2")

    assert names(folder) == ["new"]
    assert names(tmp_path) == ["best"]


def test_a_failure_while_filling_keeps_the_old_folder(tmp_path):
    folder = filled(tmp_path / "best", old="1")

    with pytest.raises(ZeroDivisionError), replacing_folder(folder) as new:
        (new / "half").write_text(str(1 / 0))

    assert names(folder) == ["old"]
    assert names(tmp_path) == ["best"]


def test_a_folder_that_stepped_aside_before_a_kill_is_found(tmp_path):
    folder = tmp_path / "best"
    aside = filled(tmp_path / ".best.old", old="1")
    filled(tmp_path / ".best.new", new="2")

    found = complete_folder(folder)

    assert found == aside


def test_the_next_replacement_after_a_kill_keeps_what_stepped_aside_until_it_is_done(tmp_path):
    folder = tmp_path / "best"
    filled(tmp_path / ".best.old", old="1")
    filled(tmp_path / ".best.new", half="2")

    with pytest.raises(RuntimeError), replacing_folder(folder):
        raise RuntimeError

    assert names(folder) == ["old"]
    assert names(tmp_path) == ["best"]


def test_whenever_a_replacement_is_killed_the_folder_is_whole_and_never_older(tmp_path):
    folder, last, chance = tmp_path / "best", -1, random.Random(0)

    for _ in range(15):
        kill_after(
            chance.uniform(0.0, 0.05), [sys.executable, "-c", REPLACER, str(folder), str(last)]
        )
        place = complete_folder(folder)
        first, second = (int((place / name).read_text()) for name in ("first", "second"))

        assert first == second > last - 1
        last = first

    assert last > 15


REPLACER = """
import sys
from pathlib import Path
from hubcls.writing import replacing_folder
folder, version = Path(sys.argv[1]), int(sys.argv[2])
while True:
    version += 1
    with replacing_folder(folder) as new:
        for name in ("first", "second"):
            (new / name).write_text(str(version))
    print("done", flush=True)
"""


def kill_after(seconds, command):
    """Kill the process some time after it has done its first piece of work."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY) as process:
        process.stdout.readline()
        time.sleep(seconds)
        process.kill()


def filled(folder, **files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def full_disk(descriptor):
    raise OSError("the disk is full")
