"""Submitting a stage: two coordinators share one run, and an ended run is followed by another."""

from typing import Any

import pytest
from prefect.states import Cancelling, Crashed, State

from pipeline.workers.dispatch import Dispatcher
from stages.errors import PipelineError
from tests.pipeline.workers.fake_server import FakeServer


def submit(server: FakeServer, coordinator: str, pool: str = "cpu") -> Any:
    return Dispatcher(server, coordinator).submit("tokenize", pool=pool, key="k", parameters={})  # type: ignore[arg-type]


def test_the_second_coordinator_adopts_the_run_of_the_first() -> None:
    server = FakeServer()
    first, second = submit(server, "one"), submit(server, "two")
    assert first.run_id == second.run_id
    assert (first.own, second.own) == (True, False)
    assert submit(server, "one").own, "the same coordinator after a restart"


@pytest.mark.parametrize("state", [Crashed(), Cancelling()])
def test_another_attempt_is_another_run(state: State) -> None:
    server = FakeServer()
    first = submit(server, "one")
    server.set_flow_run_state(first.run_id, state)
    assert submit(server, "one").run_id != first.run_id


def test_a_pool_without_a_deployment_is_named() -> None:
    with pytest.raises(PipelineError, match=r"tokenize needs the work pool tpu, .*run-stage/tpu.*retune deploy"):
        submit(FakeServer(), "one", pool="tpu")
