"""Downloads against a server on this machine that fails on demand."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.download import transfer
from stages.errors import DataError

BODY = bytes(range(256)) * 1_000
Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY)


def unavailable(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(503)


def cut_off(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[:100_000])


def absent(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(404)


class Server(ThreadingHTTPServer):
    """Gives the answers in `script` one after the other, then goes on with the last."""

    script: list[Answer]
    requests = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        answer = self.server.script[min(self.server.requests, len(self.server.script) - 1)]
        self.server.requests += 1
        answer(self)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(server: Server, path, script: list[Answer]):
    server.script = script
    return transfer.download(f"http://127.0.0.1:{server.server_port}/x.csv", path, wait=0.01, timeout=5)


@pytest.mark.parametrize("faults", [[], [unavailable, unavailable], [cut_off], [unavailable, cut_off]])
def test_comes_whole_after_faults(server, tmp_path, faults):
    path = fetch(server, tmp_path / "x", [*faults, whole])
    assert path.read_bytes() == BODY
    assert server.requests == len(faults) + 1


@pytest.mark.parametrize(
    ("script", "message", "requests"),
    [
        ([unavailable], r"could not be downloaded in 5 attempts: the server answers 503 .* give the path", 5),
        ([cut_off], r"could not be downloaded in 5 attempts: .*100000", 5),
        ([absent], r"x.csv answers 404 Not Found. Mend download.dataset.files", 1),
    ],
)
def test_gives_up_with_a_clear_error_and_no_file(server, tmp_path, script, message, requests):
    with pytest.raises(DataError, match=message):
        fetch(server, tmp_path / "x", script)
    assert server.requests == requests
    assert list(tmp_path.iterdir()) == []


def test_a_url_goes_through_the_stage(server, read):
    server.script = [lambda handler: answer_with(handler, b"text,label\na,x\nb,y\n")]
    url = f"http://127.0.0.1:{server.server_port}/rows.csv"
    result = read(files=[{"source": url}, {"source": url, "split": "test"}])
    assert result.column("text") == ["a", "b", "a", "b"]
    assert server.requests == 1, "one source named twice is one download"


def answer_with(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
