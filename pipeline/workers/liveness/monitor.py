"""Finds flow runs that stopped sending heartbeats."""

import contextlib
import time
from collections.abc import Callable
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound

from pipeline.workers.liveness.heartbeat import HEARTBEAT_INTERVAL, HEARTBEAT_LABEL, HEARTBEAT_TIMEOUT
from pipeline.workers.prefect_api import telling_answers

PROBE_LABEL = "retune.probe"
PROBE_INTERVALS = 3  # heartbeats that a run may still miss after a probe was written
STARTUP_FACTOR = 4  # a run that a worker took but that sent no heartbeat yet gets this many timeouts
WATCHED = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)


def write_probe(client: SyncPrefectClient, run_id: UUID) -> None:
    """Write a label to the run in the same way as its heartbeats are written; a deleted run needs none."""
    with contextlib.suppress(ObjectNotFound), telling_answers():
        client.update_flow_run_labels(run_id, {PROBE_LABEL: str(time.time_ns())})


class HeartbeatMonitor:
    """Remembers when each run last changed its heartbeat or its state, by this machine's clock.

    Prefect's database may stall: reads succeed, writes do not, and every run seems silent (SQLite did so for a minute).
    So a run counts as lost only if a probe could be written to it and no heartbeat followed.

    Args:
        write_probe: Writes a probe to a run and returns when it is stored.
        clock: Returns seconds.
    """

    def __init__(self, write_probe: Callable[[UUID], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write_probe = write_probe
        self._clock = clock
        self._last_change: dict[UUID, tuple[object, float]] = {}
        self._probed: dict[UUID, float] = {}

    def reset(self) -> None:
        """Start every timeout again: while Prefect's API was unreachable, no heartbeat could be seen."""
        self._last_change.clear()
        self._probed.clear()

    def seconds_silent(self, run: FlowRun) -> float:
        """Seconds since the run's heartbeat or state last changed."""
        signal = (run.labels.get(HEARTBEAT_LABEL), run.state and run.state.type)
        now = self._clock()
        before = self._last_change.get(run.id)
        if before is None or before[0] != signal:
            self._last_change[run.id] = (signal, now)
            self._probed.pop(run.id, None)
            return 0.0
        return now - before[1]

    def lost_cause(self, run: FlowRun) -> str | None:
        """Why the run counts as lost, or None. A run that waits for a worker is never lost."""
        silent = self.seconds_silent(run)
        state = run.state.type if run.state else None
        started = HEARTBEAT_LABEL in run.labels and state != StateType.PENDING
        if state not in WATCHED or silent <= HEARTBEAT_TIMEOUT * (1 if started else STARTUP_FACTOR):
            return None
        if run.id not in self._probed:
            self._write_probe(run.id)
            self._probed[run.id] = self._clock()
        if self._clock() - self._probed[run.id] < PROBE_INTERVALS * HEARTBEAT_INTERVAL:
            return None
        if state == StateType.PENDING:
            return f"a worker took it, but it did not start within {silent:.0f} s"
        return f"no heartbeat for {silent:.0f} s: its worker was stopped or its machine is gone"
