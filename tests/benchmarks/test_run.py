"""The command of the speed benchmarks: arguments, and what a measurement leaves."""

import os
import sys
from pathlib import Path

import pytest


@pytest.fixture
def run():
    import run

    return run


@pytest.fixture
def measuring():
    from speed import measuring

    return measuring


@pytest.fixture
def contestant(measuring, monkeypatch, tmp_path):
    """A contestant whose script is the text given, run by this Python."""
    from speed.rows import Contestant

    monkeypatch.setattr(measuring, "python_of", lambda work, name: sys.executable)
    monkeypatch.setattr(measuring, "variables", lambda *_: dict(os.environ))
    monkeypatch.setattr(measuring, "SCRIPTS", tmp_path)

    def made(text):
        (tmp_path / "script.py").write_text(text, encoding="utf-8")
        return Contestant("it", "script", "something", "")

    return made


@pytest.fixture
def place(measuring, tmp_path):
    return measuring.Place(tmp_path / "work", timeout_seconds=20, code="code")


def test_a_full_run_of_all_tasks_goes_into_the_page(run):
    assert run.parsed([]).stores
    assert not run.parsed(["--quick"]).stores
    assert not run.parsed(["--only", "T1,T4"]).stores


def test_an_unknown_task_names_those_there_are(run, capsys):
    with pytest.raises(SystemExit):
        run.parsed(["--only", "T1,T99"])

    assert "no task is called T99; there are T1, T2" in capsys.readouterr().err


def test_a_page_that_is_not_there_is_refused_before_anything_runs(run, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run.parsed(["--page", str(tmp_path / "none.md")])

    assert "none.md is no file" in capsys.readouterr().err


def test_a_process_tells_figures_seconds_and_memory(measuring, contestant, place):
    it = contestant("import sys; print('noise'); print('{\"value\": 3}')")

    found = measuring.process(place, it, {})

    assert found["value"] == 3
    assert found["wall_seconds"] > 0
    assert found["peak_megabytes"] > 1


def test_a_failure_is_told_with_its_last_line(measuring, contestant, place):
    it = contestant("raise ValueError('no such thing')")

    found = measuring.process(place, it, {})

    assert found["failed"] == "exit code 1: ValueError: no such thing"
    assert "no such thing" in Path(found["log"]).read_text()


def test_what_takes_too_long_is_ended(measuring, contestant, tmp_path):
    place = measuring.Place(tmp_path / "work", timeout_seconds=0.5, code="code")
    it = contestant("import time; time.sleep(60)")

    found = measuring.process(place, it, {})

    assert found["failed"].startswith("exit code -9: after ")


def test_what_was_measured_is_not_measured_again(measuring, contestant, place, tmp_path):
    it = contestant("open('../../runs', 'a').write('x'); print('{}')")

    for _ in range(2):
        measuring.measured(place, it, {"size": 1}, 0)
    measuring.measured(place, it, {"size": 2}, 0)
    measuring.measured(place, it, {"size": 1}, 1)

    assert (tmp_path / "runs").read_text() == "xxx"


def test_other_versions_are_measured_anew(measuring, contestant, place, tmp_path, monkeypatch):
    it = contestant("open('../../runs', 'a').write('x'); print('{}')")

    for version in ("1.0", "1.0", "1.1"):
        monkeypatch.setattr(measuring, "installed", lambda *_, told=version: [f"keras-{told}"])
        measuring.measured(place, it, {}, 0)

    assert (tmp_path / "runs").read_text() == "xx"


def test_failures_are_tried_again(measuring, contestant, place, tmp_path):
    it = contestant("open('../../runs', 'a').write('x'); raise SystemExit(1)")

    for _ in range(2):
        measuring.measured(place, it, {}, 0)

    assert (tmp_path / "runs").read_text() == "xx"


def test_hubcls_environment_has_what_setup_cfg_says():
    from speed.environments import requirements

    assert any(line.startswith("tensorflow>=") for line in requirements("tensorflow"))
    assert "keras-hub" in requirements("tensorflow")
    assert "" not in requirements("tensorflow")
