"""Serve the review page on this machine alone, until Ctrl-C."""

import secrets
import socket
from collections.abc import Callable, Sequence

import uvicorn

from pipeline.review.app import make_app
from pipeline.review.decisions import Decisions
from pipeline.review.rows import DataSet, ReviewRow
from stages.errors import PipelineError

ADDRESS = "127.0.0.1"


def serve(
    data: DataSet,
    rows: Sequence[ReviewRow],
    decisions: Decisions,
    *,
    port: int,
    say: Callable[[str], None],
) -> None:
    """Serve the page.

    Args:
        data: What the rows belong to.
        rows: To review.
        decisions: Where decisions are written.
        port: Port of the page; 0: any free port.
        say: Gets the address.

    Raises:
        PipelineError: The port is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except (OSError, OverflowError) as error:
            raise PipelineError(f"--port {port} can't be used: {error}. Choose another, or 0 for any.") from error
        token = secrets.token_urlsafe(24)
        address = f"http://{ADDRESS}:{listener.getsockname()[1]}/#{token}"
        app = make_app(data, rows, decisions, token=token)
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False)
        listener.listen()
        say(address)
        uvicorn.Server(config).run(sockets=[listener])
