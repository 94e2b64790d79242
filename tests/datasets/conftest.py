"""Small photographs, folders of them, and a server for miniature archives."""

import dataclasses
import functools
import hashlib
import http.server
import shutil
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


@pytest.fixture
def publish(served, tmp_path):
    """Serves a folder as an archive; gives the catalogue's row with the local address."""

    def pack(row, source_name, contents):
        source = row.sources[source_name]
        files = []
        for file in source.files:
            target = served.folder / file.name
            if file.unpack_to is None:
                shutil.copy(contents / file.name, target)
            else:
                root = contents / file.unpack_to
                kind = "zip" if file.name.endswith(".zip") else "gztar"
                packed = shutil.make_archive(str(tmp_path / file.name), kind, root)
                shutil.move(packed, target)
            sha256 = hashlib.sha256(target.read_bytes()).hexdigest() if file.sha256 else None
            size = target.stat().st_size if file.size_bytes else None
            url = served.url(file.name)
            files.append(dataclasses.replace(file, urls=(url,), sha256=sha256, size_bytes=size))
        source = dataclasses.replace(source, files=tuple(files))
        return dataclasses.replace(row, sources={**row.sources, source_name: source})

    return pack


@pytest.fixture
def unreachable(served):
    """A row of which some sources have only dead addresses."""

    def cut_off(row, *names):
        sources = dict(row.sources)
        for name in names:
            files = tuple(
                dataclasses.replace(file, urls=(served.url("gone"),))
                for file in sources[name].files
            )
            sources[name] = dataclasses.replace(sources[name], files=files)
        return dataclasses.replace(row, sources=sources)

    return cut_off


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the tests' output clean."""


class Served:
    def __init__(self, folder, address):
        self.folder = folder
        self.address = address

    def url(self, name):
        return f"{self.address}/{name}"
