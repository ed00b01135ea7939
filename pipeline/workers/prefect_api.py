"""Calls Prefect's API, tells its answers from its absence, and waits or ends with one line while it is unreachable."""

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from stages.errors import PipelineError

UNREACHABLE = (httpx.TransportError, PrefectHTTPStatusError, RuntimeError)  # RuntimeError: "Failed to reach API at ..."
TEMPORARY = (408, 425, 429)  # status codes below 500 after which the same request may succeed
RETRY_SECONDS = 2.0
PAGE = 100  # flow runs per request; Prefect allows at most 200, and without a limit it returns the first 200
STATE_WORDS = {  # names of Prefect's states that say too little
    "AwaitingConcurrencySlot": "waiting for a free slot",
    "AwaitingRetry": "waiting for a retry",
    "InfrastructurePending": "starting",
}
T = TypeVar("T")
log = logging.getLogger(__name__)


class RejectedError(PipelineError):
    """Prefect's API refuses a request; the same request again would get the same answer."""


@contextlib.contextmanager
def telling_answers() -> Iterator[None]:
    """Raise errors of their own for what Prefect's API answers; whatever else is UNREACHABLE is worth a retry.

    A 404 counts only in Prefect's own form: a proxy whose server is away may answer 404 as well.

    Raises:
        ObjectNotFound: The object does not exist: it was deleted.
        RejectedError: The API refuses the request.
    """
    try:
        yield
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        cause = error.http_exc if isinstance(error, ObjectNotFound) else error
        if not isinstance(cause, httpx.HTTPStatusError):
            raise
        if cause.response.status_code == httpx.codes.NOT_FOUND:
            if _is_prefects(cause.response):
                raise ObjectNotFound(cause) from error
            raise PrefectHTTPStatusError.from_httpx_error(cause) from error
        if cause.response.status_code in TEMPORARY or cause.response.is_server_error:
            raise
        raise RejectedError(f"Prefect's API refuses a request ({_problem(cause)}). {_hint(cause)}") from error


def _is_prefects(response: httpx.Response) -> bool:
    try:
        answer = response.json()
    except ValueError:
        return False
    return isinstance(answer, dict) and not {"detail", "exception_message"}.isdisjoint(answer)


def _problem(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].split())


def _hint(error: Exception) -> str:
    refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403)
    return "Set PREFECT_API_AUTH_STRING to its USER:PASSWORD." if refused else "Look at the server's log."


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
    except (ObjectNotFound, *UNREACHABLE) as error:
        raise PipelineError(f"Prefect's API does not {purpose} ({_problem(error)}). {_hint(error)}") from error


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

    Raises:
        ObjectNotFound: The API answers that the object does not exist.
        RejectedError: The API refuses the request.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            with telling_answers():
                return call()
        except UNREACHABLE as error:
            if time.monotonic() > deadline:
                raise
            log_unreachable(log, error)
            time.sleep(RETRY_SECONDS)


def log_unreachable(logger: logging.Logger, error: Exception) -> None:
    """Warn that a request to Prefect's API will be repeated."""
    logger.warning("Prefect's API does not answer (%s): trying again.", error)
