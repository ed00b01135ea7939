"""Submitting a stage: two coordinators share one run, and an ended run is followed by another."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.states import Cancelling, Crashed, State

from pipeline.workers import prefect_api
from pipeline.workers.dispatch import Dispatcher
from stages.errors import PipelineError
from tests.pipeline.workers.fake_server import FakeServer

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


def test_a_pool_without_a_deployment_is_named() -> None:
    with pytest.raises(PipelineError, match=r"tokenize needs the work pool tpu, .*run-stage/tpu.*retune deploy"):
        submit(FakeServer(), ONE, pool="tpu")
