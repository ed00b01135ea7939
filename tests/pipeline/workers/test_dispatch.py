"""Asking for a stage: one run for two who ask at once, another one when the first has ended; coordinators too."""

import itertools
import uuid
from functools import partial
from typing import Any

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Crashed, Running, Scheduled, State

from pipeline.workers import reconcile
from pipeline.workers.dispatch import LINEAGE, Dispatcher
from pipeline.workers.heartbeat import TOUCHED, Watch, touch
from stages.errors import PipelineError


class Server:
    """As much of Prefect's API as is asked for, with its idempotency keys."""

    def __init__(self, pools: tuple[str, ...] = ("cpu",)) -> None:
        self.pools = pools
        self.runs: dict[str, FlowRun] = {}

    def read_flow_runs(self, flow_run_filter: Any = None, flow_filter: Any = None) -> list[FlowRun]:
        tags = flow_run_filter.tags.all_ if flow_run_filter.tags else []
        return [run for run in self.runs.values() if set(tags) <= set(run.tags)]

    def read_deployment_by_name(self, name: str) -> Any:
        if name.partition("/")[2] not in self.pools:
            raise ObjectNotFound(RuntimeError(name))
        return FlowRun(flow_id=uuid.uuid4())

    def create_flow_run_from_deployment(self, deployment_id: Any, *, idempotency_key: str, **given: Any) -> FlowRun:
        run = FlowRun(flow_id=uuid.uuid4(), deployment_id=deployment_id, state=Scheduled(), **given)
        return self.runs.setdefault(idempotency_key, run)

    def update_flow_run_labels(self, run_id: uuid.UUID, labels: dict[str, str]) -> None:
        next(run for run in self.runs.values() if run.id == run_id).labels.update(labels)

    def set_flow_run_state(self, run_id: uuid.UUID, state: State, force: bool = False) -> None:
        next(run for run in self.runs.values() if run.id == run_id).state = state


def send(server: Server, coordinator: str, pool: str = "cpu") -> Any:
    return Dispatcher(server, coordinator).send("tokenize", pool=pool, key="k", parameters={})  # type: ignore[arg-type]


def test_who_asks_second_gets_the_same_run() -> None:
    server = Server()
    first, second = send(server, "one"), send(server, "two")
    assert first.run_id == second.run_id
    assert (first.own, second.own) == (True, False)
    assert send(server, "one").own, "a coordinator that goes on for itself"


@pytest.mark.parametrize("state", [Crashed(), Cancelling()])
def test_another_try_is_another_run(state: State) -> None:
    server = Server()
    first = send(server, "one")
    server.set_flow_run_state(first.run_id, state)
    assert send(server, "one").run_id != first.run_id


def test_a_pool_without_a_deployment_is_named() -> None:
    with pytest.raises(PipelineError, match=r"tokenize wants the pool tpu, .*run-stage/tpu.*retune deploy"):
        send(Server(), "one", pool="tpu")


def test_a_crashed_coordinator_is_started_again_three_times() -> None:
    server = Server()
    run = FlowRun(
        flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), state=Crashed(message="gone"), parameters={"ref": "x"}
    )
    server.runs["first"] = run
    for _ in range(10):
        reconcile.look(server, Watch(lambda _: None), set())  # type: ignore[arg-type]
        for other in server.runs.values():
            other.state = Crashed()
    again = [other for other in server.runs.values() if other is not run]
    assert len(again) == reconcile.RESTARTS
    assert all(other.parameters == {"ref": "x"} for other in again)
    assert all(f"{LINEAGE}{run.id}" in other.tags for other in again)


def test_a_silent_coordinator_crashes_and_one_that_lives_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    watch = Watch(partial(touch, server), itertools.count(0, 1e6).__next__)  # type: ignore[arg-type]
    run = FlowRun(flow_id=uuid.uuid4(), state=Running(), labels={"retune.beat": "1"})
    server.runs["first"] = run
    reconcile.look(server, watch, set())  # type: ignore[arg-type]
    assert run.state.is_running()
    reconcile.look(server, watch, set())  # type: ignore[arg-type]
    assert run.state.is_crashed()
    assert "no sign of life" in run.state.message
    assert TOUCHED in run.labels, "it was written to before it was given up"


def test_a_cancelled_coordinator_that_fell_silent_is_not_started_again() -> None:
    server = Server()
    watch = Watch(partial(touch, server), itertools.count(0, 1e6).__next__)  # type: ignore[arg-type]
    run = FlowRun(flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), state=Cancelling(), labels={"retune.beat": "1"})
    server.runs["first"] = run
    for _ in range(3):
        reconcile.look(server, watch, set()) if not run.state.is_cancelled() else None  # type: ignore[arg-type]
    assert run.state.is_cancelled()
    assert list(server.runs) == ["first"]
