"""Runs Prefect's server for programs and for its own UI alone: `python -m pipeline.local.guard PORT`.

A web page that a browser shows must not drive it. The browser sends such a page's address with each request that can
change something or whose answer the page may read (Origin), where any other request comes from (Sec-Fetch-Site), and
the name under which the page reached this machine (Host); Prefect itself takes any of them, and may be framed, so that
a click on the page is a click in the UI.
"""

import os
import sys
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from stages.importing import end_imports, start_imports

HOST = "127.0.0.1"
UNFRAMED = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}


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
        if scope["type"] != "lifespan" and not self._is_own(scope):
            refused = PlainTextResponse("This server only answers its own pages, and programs on this machine.", 403)
            app = WebSocketClose() if scope["type"] == "websocket" else refused

        async def send_unframed(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in UNFRAMED.items():
                    headers.append(name, value)
            await send(message)

        await app(scope, receive, send_unframed)

    def _is_own(self, scope: Any) -> bool:
        headers, origins = Headers(scope=scope), {f"http://{host}" for host in self._hosts}
        if headers.get("host") not in self._hosts:
            return False
        if "origin" in headers:
            return headers["origin"] in origins
        return headers.get("sec-fetch-site") in (None, "same-origin", "none") or _follows_link(scope, headers)


def _follows_link(scope: Any, headers: Headers) -> bool:
    """Whether a browser opens a page of the UI in a tab of its own, where no other page sees it."""
    is_page = scope.get("method") == "GET" and not scope["path"].startswith("/api")
    return is_page and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")


def main() -> None:
    """Run the server until a signal ends it."""
    os.umask(0o077)  # its database holds logs and parameters
    start_imports()
    import uvicorn
    from prefect.server.api.server import create_app

    end_imports()
    port = int(sys.argv[1])
    uvicorn.run(Guard(create_app(final=True), port), host=HOST, port=port, log_level="error", lifespan="on")


if __name__ == "__main__":
    main()
