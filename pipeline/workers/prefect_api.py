"""Calls Prefect's API, and waits or ends with one line while it is unreachable."""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError

from stages.errors import PipelineError

UNREACHABLE = (httpx.TransportError, PrefectHTTPStatusError, RuntimeError)  # RuntimeError: "Failed to reach API at ..."
RETRY_SECONDS = 2.0
PAGE = 100  # flow runs per request; Prefect allows at most 200, and without a limit it returns the first 200
STATE_WORDS = {  # names of Prefect's states that say too little
    "AwaitingConcurrencySlot": "waiting for a free slot",
    "AwaitingRetry": "waiting for a retry",
    "InfrastructurePending": "starting",
}
T = TypeVar("T")
log = logging.getLogger(__name__)


@contextlib.contextmanager
def open_client(*, purpose: str) -> Iterator[SyncPrefectClient]:
    """Open a client of the configured API.

    Args:
        purpose: What the API does not do where it fails, such as `list the runs`.

    Raises:
        PipelineError: The API does not answer, or refuses the password.
    """
    try:
        with get_client(sync_client=True) as client:
            yield client
    except UNREACHABLE as error:
        refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403)
        hint = "Set PREFECT_API_AUTH_STRING to its USER:PASSWORD." if refused else "Look at the server's log."
        problem = " ".join(str(error).split("\n")[0].split())
        raise PipelineError(f"Prefect's API does not {purpose} ({problem}). {hint}") from error


def read_all_runs(client: SyncPrefectClient, **query: Any) -> list[FlowRun]:
    """Every flow run that matches, however many there are.

    Args:
        client: Prefect's API.
        query: The filters and the order, as for `read_flow_runs`.
    """
    runs: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(**query, limit=PAGE, offset=len(runs))
        runs += page
        if len(page) < PAGE:
            return runs


def state_words(name: str) -> str:
    """The name of a Prefect state as it is shown: `TimedOut` as `timed out`."""
    return STATE_WORDS.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def retry_while_unreachable(call: Callable[[], T], *, timeout: float = 900.0) -> T:
    """Return what the call returns; repeat it while Prefect's API is unreachable.

    Args:
        call: A request to Prefect's API.
        timeout: Seconds after which the last error is raised.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return call()
        except UNREACHABLE as error:
            rejected = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            if rejected or time.monotonic() > deadline:
                raise
            log_unreachable(log, error)
            time.sleep(RETRY_SECONDS)


def log_unreachable(logger: logging.Logger, error: Exception) -> None:
    """Warn that a request to Prefect's API will be repeated."""
    logger.warning("Prefect's API does not answer (%s): trying again.", error)
