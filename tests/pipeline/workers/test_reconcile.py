"""Coordinators that crashed or fell silent: which are restarted, how often, and which are not."""

import itertools
import uuid
from functools import partial

from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Crashed, Running

from pipeline.workers import reconcile
from pipeline.workers.dispatch import LINEAGE_TAG
from pipeline.workers.liveness.heartbeat import HEARTBEAT_LABEL
from pipeline.workers.liveness.monitor import PROBE_LABEL, HeartbeatMonitor, write_probe
from tests.pipeline.workers.fake_server import FakeServer


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
