"""Calls to Prefect's API while it is unreachable, and calls that it rejects."""

from collections.abc import Callable

import httpx
import pytest
from prefect import states
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError

from pipeline.workers import prefect_api
from pipeline.workers.prefect_api import retry_while_unreachable, state_words


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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Running", "running"),
        ("TimedOut", "timed out"),
        ("RolledBack", "rolled back"),
        ("NotReady", "not ready"),
        ("StageFailed", "stage failed"),
        ("AwaitingRetry", "waiting for a retry"),
        ("AwaitingConcurrencySlot", "waiting for a free slot"),
        ("InfrastructurePending", "starting"),
        ("RUNNING", "running"),
    ],
)
def test_states_are_shown_in_words(name: str, words: str) -> None:
    assert state_words(name) == words


def test_no_state_of_prefect_is_shown_as_one_long_word() -> None:
    makers = (states.AwaitingConcurrencySlot, states.AwaitingRetry, states.InfrastructurePending, states.Late)
    names = [str(make().name) for make in (*makers, states.Retrying, states.Submitting, states.Suspended)]
    shown = [state_words(name) for name in [*names, *(kind.value for kind in StateType)]]
    assert max(len(word) for words in shown for word in words.split()) <= len("cancelling")
