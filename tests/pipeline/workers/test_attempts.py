"""What is said of a flow run that ended without a record of its stage in the DVC remote."""

import pytest
from prefect.states import Cancelled, Completed, Crashed, Failed, State

from pipeline.repository.graph import Stage
from pipeline.workers.attempts import Attempts, RunEnd


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (Failed(message="report: out of memory"), "out of memory"),
        (Crashed(message="no heartbeat for 40 s"), "no heartbeat for 40 s"),
        (Crashed(), "it ended in the state Crashed"),
        (Cancelled(name="Cancelled"), "it ended in the state Cancelled"),
        (
            Completed(message="report: 5.3 s"),
            "it ended in the state Completed, but the DVC remote does not hold its result",
        ),
        (
            Completed(name="Cached", message="report: another run has already recorded it"),
            "it ended in the state Cached, but the DVC remote does not hold its result",
        ),
    ],
)
def test_the_cause_is_never_what_a_successful_run_said(state: State, cause: str) -> None:
    attempts = Attempts()
    attempts.failed(RunEnd.of_state(Stage("report", "true"), state))
    assert attempts.message == cause
