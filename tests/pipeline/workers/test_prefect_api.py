"""Calls to Prefect's API while it is unreachable, and calls that it rejects."""

import httpx
import pytest

from pipeline.workers import prefect_api
from pipeline.workers.prefect_api import retry_while_unreachable


def test_a_call_is_repeated_while_the_api_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_api.time, "sleep", lambda _: None)
    answers = iter([httpx.ConnectError("away"), httpx.ReadTimeout("slow"), "here"])

    def call() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retry_while_unreachable(call) == "here"
    with pytest.raises(httpx.ConnectError, match="away"):
        retry_while_unreachable(lambda: (_ for _ in ()).throw(httpx.ConnectError("away")), timeout=0)
    response = httpx.Response(422, request=httpx.Request("POST", "http://x"))
    rejection = httpx.HTTPStatusError("no", request=response.request, response=response)
    with pytest.raises(httpx.HTTPStatusError, match="no"):
        retry_while_unreachable(lambda: (_ for _ in ()).throw(rejection))
