"""Calls Prefect's API and waits while it is unreachable."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import httpx
from prefect.exceptions import PrefectHTTPStatusError

UNREACHABLE = (httpx.TransportError, PrefectHTTPStatusError, RuntimeError)  # RuntimeError: "Failed to reach API at ..."
RETRY_SECONDS = 2.0
T = TypeVar("T")
log = logging.getLogger(__name__)


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
