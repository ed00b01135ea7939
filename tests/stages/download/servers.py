"""A web server on this machine that serves files and fails on demand."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


class FileServer(ThreadingHTTPServer):
    """Serves `files`; the n-th request gets the n-th answer of `script`, later ones are served well.

    Args:
        files: Content by path.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.script: list[Answer] = []
        self.requests: list[dict[str, str]] = []  # the headers of each request

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's script says."""

    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        body = self.server.files.get(self.path)
        self.head(404 if body is None else 200, len(body or b""), ETag=etag(body or b""))

    def do_GET(self) -> None:
        position = len(self.server.requests)
        self.server.requests.append(dict(self.headers))
        body = self.server.files.get(self.path)
        script = self.server.script
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            (script[position] if position < len(script) else (absent if body is None else well))(self, body or b"")

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep the tests' output quiet."""


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def well(handler: Handler, body: bytes) -> None:
    """The file, or the rest of it that is asked for."""
    wanted = handler.headers.get("Range")
    if wanted and handler.headers.get("If-Range", etag(body)) == etag(body):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(body)) + 1, len(body))
        if start >= len(body):
            handler.head(416, 0)
            return
        content_range = f"bytes {start}-{stop - 1}/{len(body)}"
        handler.head(206, stop - start, ETag=etag(body), Content_Range=content_range)
        handler.wfile.write(body[start:stop])
        return
    handler.head(200, len(body), ETag=etag(body))
    handler.wfile.write(body)


def absent(handler: Handler, body: bytes) -> None:
    handler.head(404, 0)


def forbidden(handler: Handler, body: bytes) -> None:
    handler.head(403, 0)


def unavailable(handler: Handler, body: bytes) -> None:
    handler.head(503, 0)


def busy(handler: Handler, body: bytes) -> None:
    """Ask to come back in a second."""
    handler.head(429, 0, Retry_After="1")


def busy_until(handler: Handler, body: bytes) -> None:
    """Ask to come back at a time half a minute from now."""
    handler.head(503, 0, Retry_After=formatdate(time.time() + 30, usegmt=True))


def busy_for_a_day(handler: Handler, body: bytes) -> None:
    handler.head(429, 0, Retry_After="86400")


def busy_without_sense(handler: Handler, body: bytes) -> None:
    handler.head(503, 0, Retry_After="soon")


def cut_off(handler: Handler, body: bytes) -> None:
    """Hang up at 60%."""
    handler.head(200, len(body), ETag=etag(body))
    handler.wfile.write(body[: len(body) * 6 // 10])
    handler.hang_up()


def cut_off_without_version(handler: Handler, body: bytes) -> None:
    handler.head(200, len(body))
    handler.wfile.write(body[: len(body) * 6 // 10])
    handler.hang_up()


def changed_meanwhile(handler: Handler, body: bytes) -> None:
    """The start of an older version of the file."""
    handler.head(200, len(body), ETag='"older"')
    handler.wfile.write(b"x" * (len(body) * 6 // 10))
    handler.hang_up()


def stalls(handler: Handler, body: bytes) -> None:
    """Say nothing more after a few bytes, for longer than a client should wait."""
    handler.head(200, len(body), ETag=etag(body))
    handler.wfile.write(body[:10])
    handler.wfile.flush()
    time.sleep(3)
    handler.hang_up()


def too_long(handler: Handler, body: bytes) -> None:
    """Promise more than there is."""
    handler.head(200, len(body) + 100, ETag=etag(body))
    handler.wfile.write(body)
    handler.hang_up()


def other_content(handler: Handler, body: bytes) -> None:
    handler.head(200, len(body))
    handler.wfile.write(bytes(len(body)))


def login_page(handler: Handler, body: bytes) -> None:
    page = b"\n<!DOCTYPE html><title>Log in</title>"
    handler.head(200, len(page))
    handler.wfile.write(page)


def packed_on_the_way(handler: Handler, body: bytes) -> None:
    """Compress for a client that would take that: the body then has neither the file's length nor its hash."""
    if "gzip" in handler.headers.get("Accept-Encoding", ""):
        handler.head(200, 4, Content_Encoding="gzip")
        handler.wfile.write(b"gzip")
        return
    well(handler, body)


def redirect_to(path: str) -> Answer:
    def answer(handler: Handler, body: bytes) -> None:
        handler.head(302, 0, Location=path)

    return answer


@contextlib.contextmanager
def serve(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve `files` until the block ends."""
    with FileServer(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
