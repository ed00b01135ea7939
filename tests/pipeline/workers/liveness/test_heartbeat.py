"""Heartbeats of a run that somebody deletes, that the API refuses, or that nobody can reach."""

import threading
import time
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import Cancelled, Running

from pipeline.workers.liveness import heartbeat
from tests.pipeline.workers.test_prefect_api import GONE, http_error


class Client:
    """Prefect's API with one flow run; `error`: what it raises instead of storing a heartbeat."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.run = FlowRun(flow_id=uuid4(), state=Running())
        self.asked = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update_flow_run_labels(self, run_id: UUID, labels: dict[str, str]) -> None:
        self.asked += 1
        if self.error:
            raise self.error

    def read_flow_run(self, run_id: UUID) -> FlowRun:
        if self.error:
            raise ObjectNotFound(self.error)
        return self.run


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(heartbeat, "get_client", lambda **_: client)
    monkeypatch.setattr(heartbeat, "HEARTBEAT_INTERVAL", 0.01)
    return client


def beat(client: Client, *, raising: Exception | None = None) -> bool:
    """Send heartbeats until the run has ended, or at least ten; return whether it has ended."""
    ended = threading.Event()
    with heartbeat.sending_heartbeats(uuid4(), ended.set):
        deadline = time.monotonic() + 20
        while not ended.is_set() and client.asked < 10 and time.monotonic() < deadline:
            time.sleep(0.01)
        if raising:
            raise raising
    return ended.is_set()


@pytest.mark.parametrize("raising", [None, RuntimeError("it was stopped")])
def test_the_work_of_a_deleted_run_ends_without_a_report_to_prefect(client: Client, raising: Any) -> None:
    client.error = http_error(404, GONE)
    with pytest.raises(Abort, match="the flow run was deleted"):
        beat(client, raising=raising)
    assert client.asked == 1


def test_the_work_of_a_cancelled_run_ends(client: Client) -> None:
    client.run.state = Cancelled()
    assert beat(client)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("away"), http_error(503), http_error(429), http_error(404), http_error(401)]
)
def test_a_run_goes_on_while_nobody_says_that_it_ended(
    client: Client, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client.error = error
    assert not beat(client)
    assert client.asked >= 10
    refused = "HTTP 401" in str(error)
    assert len(caplog.messages) == int(refused), "a refusal is said once"
