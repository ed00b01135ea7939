"""Which flow runs count as lost, and after how many seconds."""

from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling, Pending, Running, Scheduled, State

from pipeline.workers.liveness.heartbeat import HEARTBEAT_INTERVAL, HEARTBEAT_LABEL, HEARTBEAT_TIMEOUT
from pipeline.workers.liveness.monitor import PROBE_INTERVALS, HeartbeatMonitor


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def flow_run(state: State, heartbeat: str | None = "1") -> FlowRun:
    return FlowRun(id=RUN, flow_id=uuid4(), state=state, labels={HEARTBEAT_LABEL: heartbeat} if heartbeat else {})


RUN = uuid4()


@pytest.mark.parametrize(
    ("state", "heartbeat", "factor"),
    [
        (Running(), "1", 1),
        (Cancelling(), "1", 1),
        (Running(), None, 4),
        (Pending(), None, 4),
    ],
)
def test_a_silent_run_is_lost_after_timeout_and_probe(state: State, heartbeat: str | None, factor: float) -> None:
    clock = Clock()
    probed = []
    monitor = HeartbeatMonitor(probed.append, clock)
    assert monitor.lost_cause(flow_run(state, heartbeat)) is None
    clock.now = HEARTBEAT_TIMEOUT * factor
    assert monitor.lost_cause(flow_run(state, heartbeat)) is None
    assert probed == []
    clock.now += 1
    assert monitor.lost_cause(flow_run(state, heartbeat)) is None
    assert probed == [RUN]
    clock.now += PROBE_INTERVALS * HEARTBEAT_INTERVAL
    assert f" {clock.now:.0f} s" in str(monitor.lost_cause(flow_run(state, heartbeat)))


def test_a_heartbeat_restarts_the_timeout() -> None:
    clock = Clock()
    probed = []
    monitor = HeartbeatMonitor(probed.append, clock)
    monitor.lost_cause(flow_run(Running(), "1"))
    clock.now = HEARTBEAT_TIMEOUT
    assert monitor.lost_cause(flow_run(Running(), "2")) is None
    clock.now += HEARTBEAT_TIMEOUT
    assert monitor.lost_cause(flow_run(Running(), "2")) is None
    monitor.reset()
    clock.now += 1
    assert monitor.lost_cause(flow_run(Running(), "2")) is None
    assert probed == [], "a reset restarts the timeout as well"


def test_no_run_is_lost_while_the_database_stalls() -> None:
    clock = Clock()

    def stalled_probe(_: object) -> None:
        clock.now += 60

    monitor = HeartbeatMonitor(stalled_probe, clock)
    monitor.lost_cause(flow_run(Running(), "1"))
    clock.now = HEARTBEAT_TIMEOUT + 1
    assert monitor.lost_cause(flow_run(Running(), "1")) is None
    clock.now += HEARTBEAT_INTERVAL
    assert monitor.lost_cause(flow_run(Running(), "2")) is None, "its delayed heartbeat arrives"
    clock.now += HEARTBEAT_TIMEOUT
    assert monitor.lost_cause(flow_run(Running(), "2")) is None


def test_a_run_that_waits_for_a_worker_is_never_lost() -> None:
    clock = Clock()
    monitor = HeartbeatMonitor(lambda _: None, clock)
    monitor.lost_cause(flow_run(Scheduled(), None))
    clock.now = 1e6
    assert monitor.lost_cause(flow_run(Scheduled(), None)) is None
