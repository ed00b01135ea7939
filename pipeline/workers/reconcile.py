"""`retune reconcile`: finds coordinators that say Running and aren't, and starts them again.

A coordinator watches its stages; this watches the coordinators. One process beside Prefect's server is enough; it may
be stopped and started at any time: what counts lies in Prefect's API.
"""

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
from prefect.states import Cancelled, Crashed

from pipeline.workers.dispatch import LINEAGE
from pipeline.workers.heartbeat import BEAT_SECONDS, UNREACHABLE, Watch, touch

COORDINATE = "coordinate"  # also in cluster.py, which is slow to import
RESTARTS = 3
RECENT = timedelta(days=1)
WATCHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING, StateType.CRASHED]
TAG = "restart:"
log = logging.getLogger(__name__)


def watch_for_ever() -> None:
    """Look every few seconds; Prefect's API may come and go."""
    done = set[UUID]()
    while True:
        try:
            with get_client(sync_client=True) as client:
                watch = Watch(partial(touch, client))
                while True:
                    look(client, watch, done)
                    time.sleep(BEAT_SECONDS)
        except UNREACHABLE as error:
            log.warning("Prefect's API does not answer (%s): trying again.", error)
            time.sleep(BEAT_SECONDS)


def look(client: SyncPrefectClient, watch: Watch, done: set[UUID]) -> None:
    """Give up the coordinators that are lost, and start again those that crashed.

    Args:
        client: Prefect's API.
        watch: What was heard before.
        done: The crashed ones that were seen to before; new ones are added.
    """
    runs = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[COORDINATE])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=WATCHED)),
            expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"after_": datetime.now(UTC) - RECENT}),
        ),
    )
    for run in runs:
        if run.state and run.state.type == StateType.CRASHED:
            if run.id not in done:
                _restart(client, run)
                done.add(run.id)
        elif cause := watch.lost(run):
            log.warning("%s: %s", run.name, cause)
            cancelled = bool(run.state and run.state.is_cancelling())  # it is not to be started again
            ended: State = Cancelled(message="cancelled") if cancelled else Crashed(message=cause)
            client.set_flow_run_state(run.id, ended, force=True)


def _restart(client: SyncPrefectClient, run: FlowRun) -> None:
    """Start a crashed coordinator again, once; it finds what is recorded and adopts what is running."""
    number = next((int(tag.removeprefix(TAG)) for tag in run.tags if tag.startswith(TAG)), 0) + 1
    if run.deployment_id is None or number > RESTARTS:
        return
    lineage = next((tag for tag in run.tags if tag.startswith(LINEAGE)), f"{LINEAGE}{run.id}")
    again = client.create_flow_run_from_deployment(
        run.deployment_id,
        parameters=run.parameters,
        tags=[lineage, f"{TAG}{number}"],
        idempotency_key=f"restart:{run.id}",
    )
    cause = run.state.message if run.state else ""
    log.info("%s crashed (%s): %s goes on, restart %d of %d.", run.name, cause, again.name, number, RESTARTS)
