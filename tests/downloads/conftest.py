"""A real HTTP server on this machine that misbehaves as it is told."""

import http.server
import threading
import time
from contextlib import contextmanager

import pytest

from hubcls.downloads import fetching


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HUBCLS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HUBCLS_OFFLINE", raising=False)
    monkeypatch.setattr(fetching, "_FIRST_WAIT_SECONDS", 0.001)


@pytest.fixture
def server():
    with running(Server()) as started:
        yield started


class Server(http.server.ThreadingHTTPServer):
    """Serves `contents`; the n-th request for a name gets the n-th of its `answers`.

    When the answers are used up, the server behaves. `requests` holds (name, headers).
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents = {}
        self.answers = {}
        self.requests = []

    def url(self, name):
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def ranges_asked_for(self):
        return [headers.get("Range") for _, headers in self.requests]

    def handle_error(self, request, client_address):
        """A client that hangs up is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.requests.append((name, dict(self.headers)))
        answers = self.server.answers.get(name, [])
        answer = answers.pop(0) if answers else Answers.behaving
        if name not in self.server.contents and answer is Answers.behaving:
            answer = Answers.status(404)
        answer(self, self.server.contents.get(name, b""))

    def log_message(self, *_):
        """Keep the tests' output clean."""


class Answers:
    """What a server may do to a client."""

    @staticmethod
    def behaving(handler, content, *, sent=None, tag='"v1"'):
        start = range_start(handler)
        if start >= len(content) > 0:
            return Answers.status(416, {"Content-Range": f"bytes */{len(content)}"})(handler, b"")
        handler.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("ETag", tag)
        handler.end_headers()
        handler.wfile.write(content[start:] if sent is None else content[start : start + sent])
        return None

    @staticmethod
    def cut_after(count):
        return lambda handler, content: Answers.behaving(handler, content, sent=count)

    @staticmethod
    def status(code, headers=None):
        def answer(handler, content):
            handler.send_response(code)
            for key, value in (headers or {}).items():
                handler.send_header(key, value)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        return answer

    @staticmethod
    def redirecting(url):
        return Answers.status(302, {"Location": url})

    @staticmethod
    def claiming(length):
        def answer(handler, content):
            handler.send_response(200)
            handler.send_header("Content-Length", str(length))
            handler.end_headers()
            handler.wfile.write(content)

        return answer

    @staticmethod
    def ignoring_ranges(handler, content):
        Answers.claiming(len(content))(handler, content)

    @staticmethod
    def without_length(handler, content):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    @staticmethod
    def slowly(seconds):
        def answer(handler, content):
            half = len(content) // 2
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[:half])
            handler.wfile.flush()
            time.sleep(seconds)
            handler.wfile.write(content[half:])

        return answer


@pytest.fixture
def answers():
    return Answers


def range_start(handler):
    asked = handler.headers.get("Range", "")
    return int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0


@contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
