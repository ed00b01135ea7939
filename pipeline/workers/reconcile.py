"""`retune reconcile`: restarts coordinators that crashed, and marks those as crashed that stopped sending heartbeats.

Coordinators watch their stages; this watches the coordinators. One process beside Prefect's server is enough. It may be
stopped and started at any time, because its only state is in Prefect's API. An automation of Prefect's can't do it: see
`liveness/heartbeat.py`.
"""

import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from pipeline.workers.dispatch import LINEAGE_TAG
from pipeline.workers.liveness.heartbeat import HEARTBEAT_INTERVAL
from pipeline.workers.liveness.monitor import WATCHED, HeartbeatMonitor, write_probe
from pipeline.workers.prefect_api import UNREACHABLE, RejectedError, log_unreachable, read_all_runs, telling_answers

COORDINATE = "coordinate"  # also in flows.py, which is slow to import
MAX_RESTARTS = 3
MAX_AGE = timedelta(days=1)  # older runs are left alone
RESTART_TAG = "restart:"  # holds the number of the restart
log = logging.getLogger(__name__)


def reconcile() -> None:
    """Check the coordinators every few seconds until the process is stopped.

    Raises:
        RejectedError: Prefect's API refuses to list them.
    """
    handled = set[UUID]()
    while True:
        try:
            with telling_answers(), get_client(sync_client=True) as client:
                monitor = HeartbeatMonitor(partial(write_probe, client))
                while True:
                    reconcile_once(client, monitor, handled)
                    time.sleep(HEARTBEAT_INTERVAL)
        except UNREACHABLE as error:
            log_unreachable(log, error)
            time.sleep(HEARTBEAT_INTERVAL)


def reconcile_once(client: SyncPrefectClient, monitor: HeartbeatMonitor, handled: set[UUID]) -> None:
    """Mark lost coordinators as crashed, and restart crashed ones.

    Args:
        client: Prefect's API.
        monitor: Keeps each run's last heartbeat between calls.
        handled: Ids of crashed runs that an earlier call handled; new ones are added.
    """
    states = [*WATCHED, StateType.CRASHED]
    since = FlowRunFilterExpectedStartTime.model_validate({"after_": datetime.now(UTC) - MAX_AGE})
    runs = read_all_runs(
        client,
        flow_filter=FlowFilter(name=FlowFilterName(any_=[COORDINATE])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)), expected_start_time=since
        ),
    )
    for run in runs:
        if run.state and run.state.type == StateType.CRASHED:
            if run.id not in handled:
                _restart(client, run)
                handled.add(run.id)
        elif cause := monitor.lost_cause(run):
            log.warning("%s: %s", run.name, cause)
            is_cancelling = bool(run.state and run.state.is_cancelling())  # must not be restarted
            state: State = Cancelled(message="cancelled") if is_cancelling else Crashed(message=cause)
            with contextlib.suppress(ObjectNotFound), telling_answers():  # it was deleted
                client.set_flow_run_state(run.id, state, force=True)


def _restart(client: SyncPrefectClient, run: FlowRun) -> None:
    """Start a new run for a crashed coordinator; it finds the recorded stages and adopts the running ones."""
    number = next((int(tag.removeprefix(RESTART_TAG)) for tag in run.tags if tag.startswith(RESTART_TAG)), 0) + 1
    if run.deployment_id is None or number > MAX_RESTARTS:
        return
    lineage = next((tag for tag in run.tags if tag.startswith(LINEAGE_TAG)), f"{LINEAGE_TAG}{run.id}")
    try:
        with telling_answers():
            restarted = client.create_flow_run_from_deployment(
                run.deployment_id,
                parameters=run.parameters,
                tags=[lineage, f"{RESTART_TAG}{number}"],
                idempotency_key=f"restart:{run.id}",
            )
    except ObjectNotFound:
        log.warning("%s crashed and is not restarted: its deployment was deleted.", run.name)
        return
    except RejectedError as error:  # the next coordinator must not wait for this one
        log.warning("%s crashed and is not restarted: %s", run.name, error)
        return
    cause = run.state.message if run.state else ""
    log.info("%s crashed (%s): restart %d of %d is %s.", run.name, cause, number, MAX_RESTARTS, restarted.name)
