"""From a handle to the folder of a SavedModel: paths, addresses, and what is wrong with them."""

import http.server
import tarfile
import threading
from pathlib import Path

import keras
import pytest

from hubcls.errors import ConfigError, DownloadError, OfflineError
from hubcls.modules.module import Module
from hubcls.modules.sources import tensorflow_hub


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HUBCLS_OFFLINE", raising=False)
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)


def test_missing_and_empty_folders_are_told_apart(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        tensorflow_hub.resolve(str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match=r"holds no saved_model\.pb"):
        tensorflow_hub.spec_of(str(tmp_path))


def test_damaged_saved_model_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)

    with pytest.raises(ConfigError, match="damaged"):
        tensorflow_hub.spec_of(str(tmp_path))


def test_unreachable_address_says_how_to_go_on():
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9[\s\S]*give the folder's path"):
        tensorflow_hub.resolve("http://127.0.0.1:9/module/1")


def test_offline_no_address_is_tried(monkeypatch):
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    with pytest.raises(OfflineError, match="HUBCLS_OFFLINE"):
        tensorflow_hub.resolve("https://tfhub.dev/google/module/1")


def test_module_is_downloaded_once_and_then_found_offline(tmp_path, monkeypatch, address_of):
    network = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Conv2D(4, 3)])
    network.export(tmp_path / "written", verbose=False)
    address, requests = address_of(tmp_path / "written")
    first = tensorflow_hub.resolve(address)
    monkeypatch.setenv("HUBCLS_OFFLINE", "1")

    again = tensorflow_hub.resolve(address)

    assert again == first
    assert requests == ["/module.tar.gz?tf-hub-format=compressed"]
    assert first.parent == tmp_path / "home" / "modules" / "tensorflow_hub"
    assert Module(handle=address).backbone.output.shape == (None, 22, 22, 4)


@pytest.fixture
def address_of(tmp_path):
    """Serves a folder as TensorFlow Hub does; its address, and the requests as they come."""
    servers = []

    def serve(folder):
        archive = tmp_path / "module.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            for path in sorted(Path(folder).rglob("*")):
                packed.add(path, path.relative_to(folder), recursive=False)
        requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(archive.read_bytes())

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/module.tar.gz", requests

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
