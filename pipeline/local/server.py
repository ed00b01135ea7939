"""Starts a Prefect server on this machine where no API is configured; it ends when this process does."""

import contextlib
import http.client
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.execution import process_tree
from stages.errors import PipelineError

log = logging.getLogger(__name__)
GUARD = "pipeline.local.guard"  # Prefect's server, closed to web pages
STARTUP_SECONDS = 90.0  # usually 8; up to 27 were seen when Prefect makes its database
QUIET_CONSOLE = {  # Prefect's console lines would break our table; its API and UI still get all of them
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",  # otherwise a line per event that a dead server does not accept
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
SHORT_RETRIES = {  # with Prefect's default, 5 retries of a minute each, a run takes minutes to end once the server dies
    "PREFECT_CLIENT_MAX_RETRIES": "2",  # after 2 and 4 seconds
    "PREFECT_API_REQUEST_TIMEOUT": "15",  # seconds
}


@contextlib.contextmanager
def api(*, port: int | None = None, ui: bool = False) -> Iterator[bool]:
    """Make Prefect's API reachable: the configured one, else a server on this machine; yield whether it is configured.

    Args:
        port: Port of a server on this machine; None: any free port.
        ui: Start that server with Prefect's UI and scheduler.

    Raises:
        PipelineError: The configured API does not answer, or the server on this machine does not start.
    """
    if configured_api():
        yield True
        return
    from prefect.settings import PREFECT_API_URL, temporary_settings

    port = port or free_port()
    log.info("Starting Prefect's server on this machine ...")
    with serve(port, ui=ui), temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        try:
            yield False
        finally:
            _flush_logs_and_events()


def configured_api() -> str | None:
    """The address of the configured Prefect API, which answers; None if none is configured.

    Also makes Prefect, which reads its settings when it is imported, quiet and quick to give up.

    Raises:
        PipelineError: It does not answer, or Prefect can't work with the settings in the environment.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in (QUIET_CONSOLE | SHORT_RETRIES).items()})
    check_settings()
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if url and not answers(url):
        raise PipelineError(f"Prefect's API at {url} does not answer. Start it, or unset PREFECT_API_URL.")
    return url or None


@contextlib.contextmanager
def serve(port: int, *, ui: bool = False) -> Iterator[None]:
    """Run a Prefect server on this machine for as long as the block lasts.

    Raises:
        PipelineError: The port is taken, or the server does not start.
    """
    if answers(f"http://127.0.0.1:{port}/api", timeout=1.0):
        raise PipelineError(
            f"A Prefect server already runs at http://127.0.0.1:{port}. Use it, or choose another port with --port."
        )
    address = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_UI_ENABLED": "1" if ui else "0",
        "PREFECT_UI_API_URL": "/api",  # of the server that the pages came from, by whatever name they were asked for
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port},http://localhost:{port}",  # default: any page
    }
    if not ui:  # no scheduler and no UI, like the ephemeral server that Prefect starts by itself
        environment["PREFECT__SERVER_EPHEMERAL"] = "1"
    process = subprocess.Popen(
        [sys.executable, "-P", process_tree.__file__, "--", sys.executable, "-P", "-m", GUARD, str(port)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_up(process, address)
        yield
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()


def answers(url: str, *, timeout: float = 5.0) -> bool:
    """Does a Prefect API answer at this URL?"""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, ValueError, http.client.HTTPException):  # ValueError: not a URL
        return False


def check_settings() -> None:
    """Check what Prefect reads from the environment when it is imported, and that it can keep its database.

    Raises:
        PipelineError: PREFECT_API_URL is no address, or Prefect's folder can't be written.
    """
    try:
        urlsplit(os.environ.get("PREFECT_API_URL", "")).port  # noqa: B018  (parsed here)
    except ValueError as error:
        raise PipelineError(f"PREFECT_API_URL is not an address ({error}). Correct it, or unset it.") from error
    folder = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise PipelineError(
            f"Prefect can't write in its folder {folder} ({error.strerror}). Name another: PREFECT_HOME=FOLDER"
        ) from error


def free_port() -> int:
    """A port of this machine that no process listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _flush_logs_and_events() -> None:
    """Send what is still queued, before the server ends."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=10)
    EventsWorker.drain_all(timeout=10)


def _wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while not answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise PipelineError(
                f"Prefect's server did not start at {url}. To see why, start it by hand: prefect server start"
            )
        time.sleep(0.2)
