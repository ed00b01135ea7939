"""Prefect APIs whose health is fine, and which refuse everything else or break the connection."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextlib.contextmanager
def serve(status: int | None) -> Iterator[str]:
    """Serve such an API for as long as the block lasts; yield its URL.

    Args:
        status: Of each answer but that on its health; None: it closes the connection.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200 if self.path.endswith("/health") else status)

        def do_POST(self) -> None:
            self._answer(status)

        def _answer(self, status: int | None) -> None:
            if status is not None:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()
