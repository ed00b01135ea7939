"""Runs Prefect's server for programs and for its own UI alone: `python -m pipeline.local.guard PORT`.

A web page that a browser shows must not drive it. The browser sends such a page's address with each request (Origin),
and the name under which the page reached this machine (Host); Prefect itself takes any of both.
"""

import os
import sys
from typing import Any

import uvicorn
from prefect.server.api.server import create_app
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

HOST = "127.0.0.1"


class Guard:
    """An ASGI application that passes on what comes from programs and from its own pages, and refuses the rest.

    Args:
        app: The application behind it.
        port: The port of this server.
    """

    def __init__(self, app: Any, port: int) -> None:
        self._app = app
        self._hosts = {f"{HOST}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = self._app
        if scope["type"] != "lifespan" and not self._is_own(Headers(scope=scope)):
            refused = PlainTextResponse("This server answers its own pages and programs of this machine alone.", 403)
            app = WebSocketClose() if scope["type"] == "websocket" else refused
        await app(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        origins = {f"http://{host}" for host in self._hosts}
        return headers.get("host") in self._hosts and headers.get("origin") in (None, *origins)


def main() -> None:
    """Run the server until a signal ends it."""
    os.umask(0o077)  # its database holds logs and parameters
    port = int(sys.argv[1])
    uvicorn.run(Guard(create_app(final=True), port), host=HOST, port=port, log_level="error", lifespan="on")


if __name__ == "__main__":
    main()
