"""Coordinators that crashed or fell silent: which are restarted, how often, and which are not."""

import itertools
import uuid
from functools import partial

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Crashed, Running

from pipeline.workers import reconcile
from pipeline.workers.dispatch import LINEAGE_TAG
from pipeline.workers.liveness.heartbeat import HEARTBEAT_LABEL
from pipeline.workers.liveness.monitor import PROBE_LABEL, HeartbeatMonitor, write_probe
from tests.pipeline.workers.fake_server import FakeServer
from tests.pipeline.workers.test_prefect_api import GONE, http_error


def test_a_crashed_coordinator_is_restarted_three_times() -> None:
    server = FakeServer()
    run = FlowRun(
        flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), state=Crashed(message="gone"), parameters={"ref": "x"}
    )
    server.runs["first"] = run
    for _ in range(10):
        reconcile.reconcile_once(server, HeartbeatMonitor(lambda _: None), set())  # type: ignore[arg-type]
        for each in server.runs.values():
            each.state = Crashed()
    restarts = [restart for restart in server.runs.values() if restart is not run]
    assert len(restarts) == reconcile.MAX_RESTARTS
    assert all(restart.parameters == {"ref": "x"} for restart in restarts)
    assert all(f"{LINEAGE_TAG}{run.id}" in restart.tags for restart in restarts)


def test_a_silent_coordinator_is_marked_crashed_after_a_probe() -> None:
    server = FakeServer()
    monitor = HeartbeatMonitor(partial(write_probe, server), itertools.count(0, 1e6).__next__)  # type: ignore[arg-type]
    run = FlowRun(flow_id=uuid.uuid4(), state=Running(), labels={HEARTBEAT_LABEL: "1"})
    server.runs["first"] = run
    reconcile.reconcile_once(server, monitor, set())  # type: ignore[arg-type]
    assert run.state.is_running()
    reconcile.reconcile_once(server, monitor, set())  # type: ignore[arg-type]
    assert run.state.is_crashed()
    assert "no heartbeat" in run.state.message
    assert PROBE_LABEL in run.labels, "a probe was written before it was marked as crashed"


def test_a_cancelled_coordinator_that_fell_silent_is_not_restarted() -> None:
    server = FakeServer()
    monitor = HeartbeatMonitor(partial(write_probe, server), itertools.count(0, 1e6).__next__)  # type: ignore[arg-type]
    run = FlowRun(flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), state=Cancelling(), labels={HEARTBEAT_LABEL: "1"})
    server.runs["first"] = run
    for _ in range(3):
        reconcile.reconcile_once(server, monitor, set()) if not run.state.is_cancelled() else None  # type: ignore[arg-type]
    assert run.state.is_cancelled()
    assert list(server.runs) == ["first"]


@pytest.mark.parametrize("error", [http_error(404, GONE), http_error(409), http_error(422)])
def test_a_coordinator_that_can_not_be_restarted_keeps_no_other_one_waiting(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server, handled = FakeServer(), set[uuid.UUID]()
    runs = [FlowRun(flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), state=Crashed()) for _ in range(2)]
    server.runs = {str(run.id): run for run in runs}

    def refuse(*_: object, **__: object) -> FlowRun:
        raise error

    monkeypatch.setattr(server, "create_flow_run_from_deployment", refuse)
    for _ in range(2):
        reconcile.reconcile_once(server, HeartbeatMonitor(lambda _: None), handled)  # type: ignore[arg-type]
    assert handled == {run.id for run in runs}
    assert len([line for line in caplog.messages if "crashed and is not restarted: " in line]) == 2


def test_a_coordinator_that_is_deleted_while_it_is_watched_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    monitor = HeartbeatMonitor(partial(write_probe, server), itertools.count(0, 1e6).__next__)  # type: ignore[arg-type]
    server.runs["first"] = FlowRun(flow_id=uuid.uuid4(), state=Running(), labels={HEARTBEAT_LABEL: "1"})

    def gone(*_: object, **__: object) -> None:
        raise http_error(404, GONE)

    monkeypatch.setattr(server, "update_flow_run_labels", gone)
    monkeypatch.setattr(server, "set_flow_run_state", gone)
    for _ in range(3):
        reconcile.reconcile_once(server, monitor, set())  # type: ignore[arg-type]
