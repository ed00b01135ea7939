"""Signs of life: a run says every few seconds that it lives, and whoever waits for it notices when it falls silent.

A Prefect state alone doesn't tell: a run whose worker was stopped or whose machine is gone says Running for ever.
"""

import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Cancelled

LABEL = "retune.beat"
TOUCHED = "retune.touched"
LOST_SECONDS = float(os.environ.get("RETUNE_LOST_SECONDS", "30"))  # silence after which a run counts as lost
BEAT_SECONDS = LOST_SECONDS / 10
PROBE_BEATS = 3  # that a run may still miss after we could write to it
STARTUP_FACTOR = 4  # a run that a worker has taken but that has not begun gets this many times longer
ENDING = (StateType.CANCELLING, StateType.CANCELLED, StateType.CRASHED, StateType.FAILED, StateType.COMPLETED)
UNREACHABLE = (httpx.TransportError, PrefectHTTPStatusError, RuntimeError)
T = TypeVar("T")
log = logging.getLogger(__name__)


@contextlib.contextmanager
def beating(run_id: UUID, stop: Callable[[], None]) -> Iterator[None]:
    """Give signs of life for this run as long as the block lasts.

    Args:
        run_id: The flow run.
        stop: Called once when somebody has ended the run from outside (cancelled, or given up as lost).
    """
    end = threading.Event()
    thread = threading.Thread(target=_beat, args=(run_id, stop, end), name="pulse", daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        _end_cancelled(run_id)
        raise
    finally:
        end.set()


def _end_cancelled(run_id: UUID) -> None:
    """A cancelled run that a signal ends would say Cancelling for ever."""
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(run_id).state
            if state and state.is_cancelling():
                client.set_flow_run_state(run_id, Cancelled(message="cancelled"), force=True)
    except (ObjectNotFound, *UNREACHABLE) as error:
        log.warning("The run's end could not be told: %s", error)


def _beat(run_id: UUID, stop: Callable[[], None], end: threading.Event) -> None:
    number = itertools.count(1)
    while not end.is_set():
        try:
            with get_client(sync_client=True) as client:
                while not end.is_set():
                    client.update_flow_run_labels(run_id, {LABEL: f"{os.getpid()}.{next(number)}"})
                    run = client.read_flow_run(run_id)
                    if run.state and run.state.type in ENDING and not end.is_set():
                        log.warning("Somebody has ended this run (%s): stopping.", run.state.name)
                        stop()
                        return
                    end.wait(BEAT_SECONDS)
        except ObjectNotFound:
            stop()
            return
        except UNREACHABLE as error:  # the server is away: the work goes on, the record in the remote counts
            log.debug("No sign of life could be given: %s", error)
            end.wait(BEAT_SECONDS)


def touch(client: SyncPrefectClient, run_id: UUID) -> None:
    """Write something to the run, as its own signs of life are written."""
    client.update_flow_run_labels(run_id, {TOUCHED: str(time.time_ns())})


class Watch:
    """Remembers when each run last gave a sign of life, on this machine's own clock.

    Prefect's database may stall: what is read comes, what is written does not, and everybody seems silent (SQLite for a
    minute). So a silent run is lost only where we could write to it and it was silent after that too.

    Args:
        probe: Writes to a run; comes back when that has been done.
        clock: Seconds.
    """

    def __init__(self, probe: Callable[[UUID], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._clock = clock
        self._last: dict[UUID, tuple[Any, float]] = {}
        self._probed: dict[UUID, float] = {}

    def forget(self) -> None:
        """Start counting anew: nobody could have been heard."""
        self._last.clear()
        self._probed.clear()

    def silence(self, run: FlowRun) -> float:
        """Seconds since the run's state or its sign of life last changed."""
        sign = (run.labels.get(LABEL), run.state and run.state.type)
        now = self._clock()
        before = self._last.get(run.id)
        if before is None or before[0] != sign:
            self._last[run.id] = (sign, now)
            self._probed.pop(run.id, None)
            return 0.0
        return now - before[1]

    def lost(self, run: FlowRun) -> str | None:
        """Why the run counts as lost, or None. One that waits for a worker never does."""
        silence = self.silence(run)
        state = run.state.type if run.state else None
        begun = LABEL in run.labels and state != StateType.PENDING
        watched = state in (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
        if not watched or silence <= LOST_SECONDS * (1 if begun else STARTUP_FACTOR):
            return None
        if run.id not in self._probed:
            self._probe(run.id)
            self._probed[run.id] = self._clock()
        if self._clock() - self._probed[run.id] < PROBE_BEATS * BEAT_SECONDS:
            return None
        if state == StateType.PENDING:
            return f"a worker took it and has not begun for {silence:.0f} s"
        return f"no sign of life for {silence:.0f} s: its worker was stopped or its machine is gone"


def patient(call: Callable[[], T], *, seconds: float = 900.0) -> T:
    """Call Prefect's API, and wait for it while it is away.

    Args:
        call: What to do.
        seconds: How long to wait at most.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except UNREACHABLE as error:
            answered = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            if answered or time.monotonic() > deadline:
                raise
            log.warning("Prefect's API does not answer (%s): trying again.", error)
            time.sleep(2.0)
