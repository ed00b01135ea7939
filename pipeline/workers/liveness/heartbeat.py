"""Sends heartbeats for a flow run: a label that changes every few seconds shows that its process is alive.

Prefect's state alone does not show it: a run whose worker was stopped or whose machine is gone stays Running.

Prefect has heartbeats and an automation for this ("detect zombie flows"), which we measured with Prefect 3.8.8, a
heartbeat every 30 s (its minimum) and a window of 90 s. Killed runs were Crashed after 84 s, after 87 s with a server
restart and after 103 s while SQLite was locked. But 3 s after a server was back that had been down for 120 s, every
live run was Crashed too; and a run that was killed before its flow started was not noticed in 160 s. So these are ours.
"""

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import Cancelled

from pipeline.execution.machine import HOST_LABEL, host_name
from pipeline.workers.prefect_api import UNREACHABLE, RejectedError, telling_answers

HEARTBEAT_LABEL = "retune.heartbeat"
HEARTBEAT_TIMEOUT = float(os.environ.get("RETUNE_LOST_SECONDS", "30"))  # seconds without one until a run is suspect
HEARTBEAT_INTERVAL = HEARTBEAT_TIMEOUT / 10  # seconds
ENDED = (StateType.CANCELLING, StateType.CANCELLED, StateType.CRASHED, StateType.FAILED, StateType.COMPLETED)
log = logging.getLogger(__name__)


@contextlib.contextmanager
def sending_heartbeats(run_id: UUID, on_ended: Callable[[], None]) -> Iterator[None]:
    """Send heartbeats for this run for as long as the block lasts.

    Args:
        run_id: The flow run.
        on_ended: Called once if the run was ended from outside: cancelled, deleted, or marked as crashed.

    Raises:
        Abort: The run was deleted, so that Prefect can't be told how it ended.
    """
    stop, deleted = threading.Event(), threading.Event()
    thread = threading.Thread(target=_send, args=(run_id, on_ended, stop, deleted), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        if deleted.is_set():
            raise Abort("the flow run was deleted") from error
        _finish_cancellation(run_id)
        raise
    finally:
        stop.set()
    if deleted.is_set():
        raise Abort("the flow run was deleted")


def _finish_cancellation(run_id: UUID) -> None:
    """Set a Cancelling run to Cancelled: where a signal ends the process, Prefect would leave it Cancelling."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
            if state and state.is_cancelling():
                client.set_flow_run_state(run_id, Cancelled(message="cancelled"), force=True)
    except (ObjectNotFound, *UNREACHABLE) as error:
        log.warning("The run's final state could not be reported: %s", error)


def _send(run_id: UUID, on_ended: Callable[[], None], stop: threading.Event, deleted: threading.Event) -> None:
    number = itertools.count(1)
    refusal = ""
    while not stop.is_set():
        try:
            with telling_answers(), get_client(sync_client=True) as client:
                while not stop.is_set():
                    beat = f"{os.getpid()}.{next(number)}"
                    client.update_flow_run_labels(run_id, {HEARTBEAT_LABEL: beat, HOST_LABEL: host_name()})
                    state = client.read_flow_run(run_id).state
                    if state and state.type in ENDED and not stop.is_set():
                        log.warning("This run was ended from outside (%s): stopping.", state.name)
                        on_ended()
                        return
                    stop.wait(HEARTBEAT_INTERVAL)
        except ObjectNotFound:
            if not stop.is_set():
                log.warning("This run was deleted: stopping.")
                deleted.set()
                on_ended()
            return
        except RejectedError as error:  # nobody says that the run has ended: it goes on, and so do the attempts
            if str(error) != refusal:
                refusal = str(error)
                log.warning("No heartbeat could be sent: %s", refusal)
            stop.wait(HEARTBEAT_INTERVAL)
        except UNREACHABLE as error:  # the stage runs on: its record in the DVC remote counts, not Prefect's state
            log.debug("No heartbeat could be sent: %s", error)
            stop.wait(HEARTBEAT_INTERVAL)
