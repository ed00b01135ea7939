"""Calls to Prefect's API while it is unreachable, and calls that it rejects."""

from collections.abc import Callable

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from pipeline.workers import prefect_api
from pipeline.workers.prefect_api import retry_while_unreachable


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_api.time, "sleep", lambda _: None)


def responding(*responses: Exception | str) -> Callable[[], str]:
    """A call that raises or returns these, one after the other."""
    remaining = iter(responses)

    def call() -> str:
        response = next(remaining)
        if isinstance(response, Exception):
            raise response
        return response

    return call


def http_error(code: int) -> PrefectHTTPStatusError:
    response = httpx.Response(code, request=httpx.Request("POST", "http://x"))
    return PrefectHTTPStatusError(f"HTTP {code}", request=response.request, response=response)


def test_a_call_is_repeated_while_the_api_is_unreachable() -> None:
    call = responding(httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), http_error(503), "done")
    assert retry_while_unreachable(call) == "done"


def test_the_last_error_is_raised_after_the_timeout() -> None:
    with pytest.raises(httpx.ConnectError, match="refused"):
        retry_while_unreachable(responding(httpx.ConnectError("refused"), "too late"), timeout=0)


def test_a_rejected_call_is_not_repeated() -> None:
    with pytest.raises(PrefectHTTPStatusError, match="HTTP 422"):
        retry_while_unreachable(responding(http_error(422), "repeated"))
