"""Submitting a stage: two coordinators share one run, and an ended run is followed by another."""

from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import httpx
import pytest
from prefect.states import Cancelling, Completed, Crashed, Failed, State

from pipeline.workers import prefect_api
from pipeline.workers.dispatch import Dispatcher
from stages.errors import PipelineError
from tests.pipeline.workers.fake_server import FakeServer
from tests.pipeline.workers.test_prefect_api import GONE, http_error

ONE, TWO, RESTARTED = UUID(int=1), UUID(int=2), UUID(int=3)


def submit(server: FakeServer, coordinator: UUID, pool: str = "cpu", *, first: UUID | None = None) -> Any:
    dispatcher = Dispatcher(server, coordinator, first or coordinator)  # type: ignore[arg-type]
    return dispatcher.submit("tokenize", pool=pool, key="k", parameters={})


def parent(server: FakeServer, run_id: UUID) -> UUID | None:
    """The coordinator to which a stage's run is linked as a subflow run."""
    run = next(run for run in server.runs.values() if run.id == run_id)
    return next(link.flow_run_id for link in server.task_runs.values() if link.id == run.parent_task_run_id)


def test_the_second_coordinator_adopts_the_run_of_the_first() -> None:
    server = FakeServer()
    first, second = submit(server, ONE), submit(server, TWO)
    assert first.run_id == second.run_id
    assert (first.own, second.own) == (True, False)
    assert submit(server, RESTARTED, first=ONE).own, "the same coordinator after a restart"
    assert parent(server, first.run_id) == ONE
    assert len(server.task_runs) == 1, "an adopted run has one parent"


def test_two_coordinators_that_submit_at_the_same_moment_leave_one_link(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    first = submit(server, ONE)
    monkeypatch.setattr(server, "read_flow_runs", lambda **_: [])  # the second looked before the first had submitted
    second = submit(server, TWO)
    assert (second.run_id, second.own) == (first.run_id, False)
    assert {link.flow_run_id for link in server.task_runs.values()} == {ONE}


def test_a_submission_that_is_repeated_after_a_lost_connection_leaves_one_link(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    create, failures = server.create_flow_run_from_deployment, [httpx.ConnectError("away")]

    def lose_the_first(*arguments: Any, **fields: Any) -> Any:
        if failures:
            raise failures.pop()
        return create(*arguments, **fields)

    monkeypatch.setattr(server, "create_flow_run_from_deployment", lose_the_first)
    monkeypatch.setattr(prefect_api, "RETRY_SECONDS", 0.0)
    assert parent(server, submit(server, ONE).run_id) == ONE
    assert len(server.task_runs) == 1


@pytest.mark.parametrize("state", [Crashed(), Cancelling()])
def test_another_attempt_is_another_run(state: State) -> None:
    server = FakeServer()
    first = submit(server, ONE)
    server.set_flow_run_state(first.run_id, state)
    second = submit(server, ONE)
    assert second.run_id != first.run_id
    assert parent(server, second.run_id) == ONE
    assert len(server.task_runs) == 2


@pytest.mark.parametrize("deleted", [[], [0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]])
@pytest.mark.parametrize("state", [Crashed(), Completed(), Failed(), Cancelling()])
def test_a_submitted_run_is_never_one_that_has_ended(deleted: list[int], state: State) -> None:
    """Whichever of the earlier runs somebody deleted in Prefect: a number of rows is not the number of the next one."""
    server = FakeServer()
    earlier = [end_with(server, submit(server, ONE).run_id, state) for _ in range(3)]
    for number in deleted:
        server.delete_flow_run(earlier[number])
    first = submit(server, TWO)
    assert first.run_id not in earlier
    assert parent(server, first.run_id) == TWO
    end_with(server, first.run_id, state)
    assert submit(server, TWO).run_id not in [*earlier, first.run_id], "a retry is another run too"
    assert {run.parent_task_run_id for run in server.runs.values()} <= {link.id for link in server.task_runs.values()}


def test_a_run_that_was_submitted_and_ended_in_the_meantime_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer()
    ended = [end_with(server, submit(server, ONE).run_id, Crashed()) for _ in range(2)]
    monkeypatch.setattr(server, "read_flow_runs", lambda **_: [])  # looked before any of them was there
    assert submit(server, TWO).run_id not in ended
    assert len([link for link in server.task_runs.values() if link.flow_run_id == TWO]) == 1


def test_prefect_returns_runs_by_pages() -> None:
    """Its answer has at most 200 runs; those of all pages count."""
    server = FakeServer()
    runs = [end_with(server, submit(server, ONE).run_id, Crashed()) for _ in range(250)]
    active = submit(server, ONE)
    assert active.run_id not in runs
    assert submit(server, TWO).run_id == active.run_id, "the active one is adopted"
    dispatcher = Dispatcher(server, ONE, ONE)  # type: ignore[arg-type]
    assert set(dispatcher.read_runs(runs)) == set(runs), "none counts as deleted"


def end_with(server: FakeServer, run_id: UUID, state: State) -> UUID:
    server.set_flow_run_state(run_id, state)
    return run_id


def test_a_pool_without_a_deployment_is_named() -> None:
    with pytest.raises(PipelineError, match=r"tokenize needs the work pool tpu, .*run-stage/tpu.*retune deploy"):
        submit(FakeServer(), ONE, pool="tpu")


@pytest.mark.parametrize("error", [http_error(404, GONE), http_error(401), http_error(503), httpx.ConnectError("away")])
def test_a_run_that_can_not_be_cancelled_keeps_no_other_one_running(error: Exception) -> None:
    server = FakeServer()
    gone = MagicMock(side_effect=error)
    server.set_flow_run_state = gone  # type: ignore[method-assign]
    Dispatcher(server, ONE, ONE).cancel(TWO)  # type: ignore[arg-type]
    assert gone.call_count == 1


def test_a_run_that_was_deleted_need_not_be_marked_as_crashed() -> None:
    server = FakeServer()
    server.set_flow_run_state = MagicMock(side_effect=http_error(404, GONE))  # type: ignore[method-assign]
    Dispatcher(server, ONE, ONE).mark_crashed(TWO, "silent")  # type: ignore[arg-type]


def test_a_deployment_that_is_deleted_meanwhile_is_an_error_of_one_line() -> None:
    server = FakeServer()
    server.create_flow_run_from_deployment = MagicMock(side_effect=http_error(404, GONE))  # type: ignore[method-assign]
    with pytest.raises(PipelineError, match=r"^cut could not be submitted: .* was deleted\. Run: retune deploy\."):
        Dispatcher(server, ONE, ONE).submit("cut", pool="cpu", key="k", parameters={})  # type: ignore[arg-type]
