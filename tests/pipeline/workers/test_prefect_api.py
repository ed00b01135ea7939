"""Calls to Prefect's API while it is unreachable, and calls that it rejects."""

from collections.abc import Callable

import httpx
import pytest
from prefect import states
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from pipeline.workers import prefect_api
from pipeline.workers.prefect_api import RejectedError, retry_while_unreachable, state_words, telling_answers


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


def http_error(code: int, json: object = None) -> PrefectHTTPStatusError:
    response = httpx.Response(code, json=json, request=httpx.Request("POST", "http://x"))
    return PrefectHTTPStatusError(f"HTTP {code}", request=response.request, response=response)


def test_a_call_is_repeated_while_the_api_is_unreachable() -> None:
    call = responding(httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), http_error(503), "done")
    assert retry_while_unreachable(call) == "done"


def test_the_last_error_is_raised_after_the_timeout() -> None:
    with pytest.raises(httpx.ConnectError, match="refused"):
        retry_while_unreachable(responding(httpx.ConnectError("refused"), "too late"), timeout=0)


GONE = {"detail": "Flow run not found"}


@pytest.mark.parametrize(
    ("code", "json", "kind"),
    [(code, None, RejectedError) for code in (400, 401, 403, 405, 409, 413, 422)]
    + [(code, None, PrefectHTTPStatusError) for code in (408, 425, 429, 500, 502, 503, 504)]
    + [
        (404, GONE, ObjectNotFound),
        (404, {"exception_message": "Artifact not found"}, ObjectNotFound),
        (404, None, PrefectHTTPStatusError),  # of a proxy
        (404, ["x"], PrefectHTTPStatusError),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_an_answer_is_told_from_its_absence(code: int, json: object, kind: type[Exception], wrapped: bool) -> None:
    error: Exception = http_error(code, json)
    with pytest.raises(kind) as raised, telling_answers():
        raise ObjectNotFound(error) if wrapped and code == 404 else error  # Prefect's client does one or the other
    assert type(raised.value) is kind
    assert isinstance(raised.value, prefect_api.UNREACHABLE) == (kind is PrefectHTTPStatusError)


@pytest.mark.parametrize("code", [400, 401, 404, 409, 422])
def test_a_rejected_call_is_not_repeated(code: int) -> None:
    with pytest.raises((RejectedError, ObjectNotFound)):
        retry_while_unreachable(responding(http_error(code, GONE), "repeated"))


@pytest.mark.parametrize("code", [408, 425, 429, 503])
def test_a_call_that_may_succeed_later_is_repeated(code: int) -> None:
    assert retry_while_unreachable(responding(http_error(code), "done")) == "done"


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
