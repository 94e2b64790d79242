"""Small photographs, folders of them, and a server for miniature archives."""

import functools
import http.server
import threading

import numpy as np
import pytest
from PIL import Image

from hubcls.downloads import fetching


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    folder = tmp_path / "home"
    monkeypatch.setenv("HUBCLS_HOME", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HUBCLS_OFFLINE", raising=False)
    monkeypatch.setattr(fetching, "_FIRST_WAIT_SECONDS", 0.001)
    return folder


@pytest.fixture
def draw():
    return draw_photo


def draw_photo(path, seed=0):
    """A noisy 8 x 6 picture; its format follows the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def photos(tmp_path):
    """Twenty cats and ten dogs in class folders."""
    folder = tmp_path / "photos"
    for name, count in (("cat", 20), ("dog", 10)):
        for number in range(count):
            draw_photo(folder / name / f"{number:02}.jpg", seed=number)
    return folder


@pytest.fixture
def served(tmp_path):
    """A folder that a local server serves; `served.url` is its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Served(folder, f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the tests' output clean."""


class Served:
    def __init__(self, folder, address):
        self.folder = folder
        self.address = address

    def url(self, name):
        return f"{self.address}/{name}"
