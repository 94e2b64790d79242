import numpy as np
import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HUBCLS_HOME", str(folder))
    return folder


@pytest.fixture
def kept(home):
    """The files of rows in the cache, with their times of change."""

    def files():
        return {path: path.stat().st_mtime_ns for path in home.rglob("*.rows")}

    return files


@pytest.fixture
def keys():
    """Sixteen bytes for each of some images."""

    def draw(count, seed=0):
        return np.random.default_rng(seed).integers(0, 256, (count, 16)).astype(np.uint8)

    return draw
